"""An attempt that has nothing to train, and one that finds a damaged record."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from study.plan import RunRecord, Trial
from study.settings import Settings
from study.storage import Storage
from study.trial import execute
from study.trial.attempt import ELSEWHERE, OUTCOME, attempt
from study.trial.leases import newest
from wbc_model.scoring.metrics import ConfusionMatrix

ONE = ConfusionMatrix(("a", "b"), ((1, 0), (0, 1)))


def test_a_trial_that_another_launcher_finished_is_not_told_as_this_attempt_s(trials: list[Trial], settings: Settings):
    files = Storage(settings.storage).trial(trials[0].id)
    record = RunRecord(trial=trials[0], best_epoch=0, validation=ONE, test=ONE, curves=[], seconds=1, provenance={})
    files.finish(record)
    draft = Path(str(files.folder)) / f".checkpoint.pt.{'0' * 32}"
    draft.touch()
    assert list(attempt(trials[0], settings)) == [{OUTCOME: ELSEWHERE}]
    assert files.record() == record
    assert not draft.exists(), "swept under the lease"


def test_a_process_that_is_asked_to_end_releases_the_lease(trials: list[Trial], settings: Settings, monkeypatch):
    def stopped(*_: object, **__: object) -> Iterator[dict[str, float]]:
        yield {"epoch": 0}
        raise SystemExit(15)  # as Ray's handler of SIGTERM does

    monkeypatch.setattr(execute, "run_trial", stopped)
    with pytest.raises(SystemExit):
        list(attempt(trials[0], settings))
    _, holder = newest(Storage(settings.storage).trial(trials[0].id).folder)
    assert holder is not None
    assert holder.released


def test_a_damaged_record_is_set_aside_and_the_trial_runs(trials: list[Trial], settings: Settings, tmp_path: Path):
    files = Storage(settings.storage).trial(trials[0].id)
    files.write("record.json", b"")
    broken = Settings.from_json(settings.to_json() | {"weights": str(tmp_path / "nothing"), "tracking": "disabled"})
    (row,) = attempt(trials[0], broken)
    assert row[OUTCOME]["kind"] == "data", "it was tried"
    (told,) = row["told"]
    assert told.startswith(f"{files.folder / 'record.json'} is damaged: ")
    assert told.endswith("it is kept as damaged-0-record.json, and the trial runs again")
