"""The disk of Ray's temporary folder becomes full in the middle of a study."""

import os
import shlex
from pathlib import Path

import pytest
from launching import Place
from namespaces import NETWORK, apart, needs_namespaces

pytestmark = [pytest.mark.slow, needs_namespaces]
FILL = """
mount -t tmpfs -o size=300m tmpfs /run; export TMPDIR=/run
(until [ -s {log} ]; do sleep 0.1; done; cat /dev/zero > /run/fill) &
"""


def test_a_study_that_has_no_room_for_ray_tells_where_and_goes_on_once_it_has(
    drawn: Path, weights: Path, tmp_path: Path
):
    place = Place(tmp_path, drawn, weights, tmp_path / "cache", epochs=2)
    study = shlex.join(place.command("--tables", "11", "--datasets", "lisc", "--cpus", str(os.cpu_count())))
    script = f"{NETWORK}; {FILL.format(log=tmp_path / 'epochs.log')} {study} || echo status $?; rm /run/fill; {study}"
    environment = {name: place.environment()[name] for name in ("PYTHONPATH", "WBC_FAULTS")}
    done = apart(script, RAY_AUTH_MODE="disabled", **environment)
    assert done.returncode == 0, done.stderr
    assert "status 2\n" in done.stdout, done.stderr
    assert "the disk of Ray's temporary folder on this machine" in done.stderr
    assert len(place.records()) == 6
    assert place.begun().total() <= 6 * 2 + 2, "two epochs at most are done again"
    assert {row["epoch"] for record in place.records().values() for row in record.curves} == {0, 1}
