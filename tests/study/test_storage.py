from pathlib import Path

import pytest
from upath import UPath

from study.plan import RunRecord, Trial
from study.scheduling.failures import Failure
from study.storage import Storage, create
from study.trial.leases import Held, Lease
from wbc_model.choices import CELLS
from wbc_model.config import TrialConfig
from wbc_model.scoring.metrics import ConfusionMatrix

TRIAL = Trial(TrialConfig(), 0)
EYE = ConfusionMatrix(CELLS, tuple(tuple(int(i == j) for j in range(5)) for i in range(5)))
RECORD = RunRecord(trial=TRIAL, best_epoch=0, validation=EYE, test=EYE, curves=[], seconds=1, provenance={})


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return Storage(str(tmp_path))
    root = request.getfixturevalue("bucket") if request.param == "s3" else "memory:/"
    return Storage(f"{root}/{tmp_path.name}")


def test_a_trial_is_finished_when_its_record_is_there(storage: Storage):
    files = storage.trial(TRIAL.id)
    files.write("checkpoint.pt", b"state")
    failure = Failure.lost("no luck", epochs=3)
    files.write_failure(failure)
    assert storage.finished() == set()
    assert files.failure() == failure
    files.finish(RECORD)
    assert storage.finished() == {TRIAL.id}
    assert files.record() == RECORD
    assert files.read("checkpoint.pt") is None
    assert files.failure() is None


def test_a_record_set_aside_is_kept_and_counts_no_more(storage: Storage):
    files = storage.trial(TRIAL.id)
    for number in (0, 1):
        files.finish(RECORD)
        files.set_aside()
        assert storage.finished() == set()
        assert files.read(f"stale-{number}.json") is not None


def test_one_of_two_creators_of_a_file_wins(storage: Storage):
    file = storage.trial(TRIAL.id).folder / "lease-0.json"
    create(file, b"first")
    with pytest.raises(FileExistsError):
        create(file, b"second")
    assert file.read_bytes() == b"first"


def test_a_lease_is_one_holder_s_there_too(storage: Storage):
    folder = storage.trial(TRIAL.id).folder
    lease = Lease.take(folder)
    with pytest.raises(Held):
        Lease.take(folder)
    lease.release()
    Lease.take(folder).release()
    assert [file.name for file in folder.iterdir()] == ["lease-1.json"]


def test_epochs_are_replaced_whole(storage: Storage):
    files = storage.trial(TRIAL.id)
    assert files.epochs() == []
    files.write_epochs([{"epoch": 0}, {"epoch": 1}])
    files.write_epochs([{"epoch": 0}])
    assert files.epochs() == [{"epoch": 0}]


def test_nothing_but_whole_files_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A writer that dies before its file is complete leaves the old one."""
    files = Storage(str(tmp_path)).trial(TRIAL.id)
    files.write("checkpoint.pt", b"old")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        files.write("checkpoint.pt", b"new, half")
    assert files.read("checkpoint.pt") == b"old"


def test_a_run_of_an_earlier_attempt_makes_way(storage: Storage, tmp_path: Path):
    for attempt in ("1", "2"):
        run = tmp_path / "local" / f"offline-run-{attempt}-{TRIAL.id}"
        (run / "files").mkdir(parents=True)
        (run / f"run-{TRIAL.id}.wandb").write_text(attempt)
        (run / "files" / "config.yaml").write_text(attempt)
        storage.add_run(run, run_id=TRIAL.id)
    logs = list(UPath(storage.root).glob("wandb/*/*.wandb"))
    assert [log.read_text() for log in logs] == ["2"]
