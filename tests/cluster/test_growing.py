"""A cluster as in the clouds grows with the trials to run, and shrinks when there are none."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from launching import Place
from namespaces import NETWORK, ROOT, apart, needs_namespaces

pytestmark = [pytest.mark.slow, needs_namespaces]


def test_machines_come_for_trials_and_go_without(drawn: Path, weights: Path, tmp_path: Path):
    place = Place(tmp_path, drawn, weights, tmp_path / "cache")
    for epoch in (0, 1):
        place.always("any", epoch, "sleep")  # so that there are trials left for the second machine
    study = place.command("--tables", "11", "--datasets", "lisc", "--gpus", "0")
    cloud = ROOT / "tests" / "cluster" / "fake_cloud.py"
    words = [sys.executable, str(cloud), str(ROOT / "cluster" / "gcp.yaml"), *study]
    done = apart(f"{NETWORK}; {shlex.join(words)}", RAY_AUTH_MODE="disabled", WANDB_MODE="offline", **place.faults)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"doctor": 0, "status": 0, "most": 3, "alone": True}, done.stderr
    assert " has joined, and gets trials\n" in done.stderr
    assert len(place.records()) == 6
