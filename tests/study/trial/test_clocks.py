"""Two launchers on one storage, each as on a machine of its own, one with a clock two minutes ahead."""

import os
import shlex
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from launching import Place, wait_for
from namespaces import NETWORK, apart, needs_namespaces

from study.trial.leases import newest

pytestmark = [pytest.mark.slow, needs_namespaces]
EPOCHS = 2
STUDY = ("--tables", "11", "--datasets", "lisc", "--cpus", str(os.cpu_count()))
"""Six trials, of which each launcher runs one at a time."""


def test_no_trial_is_taken_from_a_launcher_at_work_whose_clock_differs(drawn: Path, weights: Path, tmp_path: Path):
    place = Place(tmp_path, drawn, weights, tmp_path / "cache", epochs=EPOCHS)
    behind, ahead = (replace(place, clock=clock, rules=[]) for clock in (0, 120))
    for _ in range(4):
        behind.always("any", "any", "sleep")  # so long that the other finishes trials meanwhile
    with ThreadPoolExecutor(2) as pool:

        def launch(place: Place) -> Future[CompletedProcess[str]]:
            script = f"{NETWORK}; {shlex.join(place.command(*STUDY))}"
            return pool.submit(apart, script, RAY_AUTH_MODE="disabled", **place.faults)

        one = launch(behind)
        wait_for(lambda: place.begun() or one.done())
        other = launch(ahead)
    told = one.result().stderr + other.result().stderr
    assert one.result().returncode == other.result().returncode == 0, told
    assert place.begun().total() == len(place.begun()) == 6 * EPOCHS, told
    assert set(map(str, place.histories().values())) == {str([(list(range(EPOCHS)), 0)])}
    holders = [newest(place.root / "trials" / record.trial.id)[1] for record in place.records().values()]
    assert len({holder.machine for holder in holders if holder}) == 2, f"one launcher has run all trials: {told}"
