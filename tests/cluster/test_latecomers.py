"""Nodes that join a running study are examined first, and one that becomes unfit gets no more trials."""

import re
from pathlib import Path

import pytest
from launching import Place
from namespaces import cluster_apart, needs_namespaces

pytestmark = [pytest.mark.slow, needs_namespaces]


def test_only_fit_nodes_get_trials_whenever_they_join_and_all_trials_finish_once(
    drawn: Path, weights: Path, tmp_path: Path
):
    place = Place(tmp_path, drawn, weights, tmp_path / "cache", epochs=2)
    study = place.command("--tables", "11", "--datasets", "lisc")
    found, told = cluster_apart("latecomers.py", tmp_path, study)
    assert found["statuses"] == [0, 0], told
    assert "(127.0.0.2) has joined, and gets trials\n" in told
    assert "(127.0.0.3) has joined, but is unfit and gets no trial: temporary files: " in told
    assert re.search(
        r"\(127.0.0.4\) has joined, but is unfit and gets no trial: its clock is \d+ s ahead of that ", told
    )
    assert "(127.0.0.2) is unfit now, and gets no more trials: temporary files: " in told
    assert found["study"]["first"] >= 1
    assert found["study"]["fit"] >= 2
    assert found["study"]["unfit"] == found["study"]["ahead"] == 0
    assert sum(found["study"].values()) <= 13, "one epoch at most is done again"
    assert len(place.records()) == 6
    assert set(map(str, place.histories().values())) == {str([([0, 1], 0)])}

    assert "doctor: 1 of 4 nodes are fit" in told
    assert found["calibrated"]["first"] > 0
    assert found["calibrated"]["fit"] == found["calibrated"]["unfit"] == found["calibrated"]["ahead"] == 0
