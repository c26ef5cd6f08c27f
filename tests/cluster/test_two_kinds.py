"""A cluster with two kinds of device: each is measured, and trials go where they are the fastest."""

import json
from pathlib import Path

import pytest
from launching import Place
from namespaces import cluster_apart, needs_namespaces

pytestmark = [pytest.mark.slow, needs_namespaces]


def test_both_kinds_are_calibrated_planned_and_used(drawn: Path, weights: Path, tmp_path: Path):
    place = Place(tmp_path, drawn, weights, tmp_path / "cache", epochs=1)
    study = place.command("--tables", "11", "--datasets", "lisc")
    found, told = cluster_apart("two_kinds.py", tmp_path, study)
    assert found["statuses"] == [0, 0], told
    for kind in ("H100", "L4"):
        assert f"on {kind}: " in told
        assert f"\nAll, on {kind}, 1 cores alone " in told
    assert "(H100, 1 cores and L4, 1 cores)" in told
    assert sum(found["study"].values()) == 6, told
    assert found["study"]["H100"] >= found["study"]["L4"] > 0, told
    known = json.loads((place.storage / "costs.json").read_text())["known"]
    assert {kind: len(costs) for kind, costs in known.items()} == {"H100": 6, "L4": 6}
