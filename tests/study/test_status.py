"""The board, from storage alone."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from upath import UPath

from search_spaces.paper import TABLES
from study.plan import RunRecord, plan
from study.progress.from_storage import progress_of
from study.progress.live import Progress
from study.progress.table import Status, time_left
from study.scheduling.failures import Failure
from study.status import main
from study.storage import Storage, write_plan
from study.trial.leases import Lease
from wbc_model.scoring.metrics import ConfusionMatrix

TRIALS = plan(TABLES)[:4]
ONE = ConfusionMatrix(("a", "b"), ((1, 0), (0, 1)))


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """One trial done, one running, one failed, one pending."""
    storage = Storage(str(tmp_path))
    write_plan(storage, TRIALS)
    row = {"epoch": 0, "validation_accuracy": 0.5}
    for trial in TRIALS[:3]:
        storage.trial(trial.id).write_epochs([row, row | {"epoch": 1, "validation_accuracy": 0.4}])
    record = RunRecord(trial=TRIALS[0], best_epoch=0, validation=ONE, test=ONE, curves=[], seconds=1, provenance={})
    storage.trial(TRIALS[0].id).finish(record)
    storage.trial(TRIALS[2].id).write_failure(Failure.lost("its node", epochs=2))
    return storage


def test_it_tells_what_runs_and_what_failed(storage: Storage, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    lease = Lease.take(UPath(storage.trial(TRIALS[1].id).folder))
    seen = progress_of(storage, TRIALS)
    assert [seen[trial.id].status for trial in TRIALS] == [Status.DONE, Status.RUNNING, Status.FAILED, Status.PENDING]
    assert (seen[TRIALS[1].id].epochs, seen[TRIALS[1].id].best) == (2, 0.5)
    assert main(["--storage", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "All, each once" in told
    assert "epoch 2 of 100, best 50.00%" in told
    assert f"failed: {TRIALS[2].id}" in told
    assert "lost: its node" in told
    lease.release()
    assert progress_of(storage, TRIALS)[TRIALS[1].id].status is Status.PENDING


def test_a_folder_without_a_study_is_one_line(tmp_path: Path):
    command = [sys.executable, "-m", "study.status", "--storage", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert (done.returncode, done.stderr) == (2, f"error: no study was launched in {tmp_path}: give its --storage\n")


def test_the_time_left_counts_what_each_trial_has_still_to_do(storage: Storage):
    seen = progress_of(storage, TRIALS)
    seen[TRIALS[1].id] = replace(seen[TRIALS[1].id], status=Status.RUNNING, epochs=50)
    left = time_left(TRIALS, seen, seconds=lambda _: 100.0, at_a_time=2)
    assert left == "about 0:01:15 left", "half of one, and one, by two"
    assert time_left(TRIALS, seen, seconds=lambda _: 0.0, at_a_time=2) == "time left: unknown"


def test_what_another_launcher_does_is_told_once_and_not_as_a_result(capsys: pytest.CaptureFixture[str]):
    progress = Progress(TRIALS, finished={}, seconds=lambda _: 0.0)
    for holder in ("process 1 on a", "process 1 on a", "process 2 on b"):
        progress.started(TRIALS[0])
        progress.held(TRIALS[0], holder)
    progress.started(TRIALS[0])
    progress.finished_elsewhere(TRIALS[0])
    told = [line.partition(": ")[2].partition(" · ")[0] for line in capsys.readouterr().err.splitlines()]
    again = "it is tried again until that has finished it or is gone"
    assert told == [f"held by process 1 on a: {again}", f"held by process 2 on b: {again}",
                    "finished by another launcher"]  # fmt: skip
    assert progress.progress[TRIALS[0].id].status is Status.DONE
