from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import object_stores
import pytest
from unreliable import Trouble
from upath import UPath

from study.plan import RunRecord, Trial
from study.scheduling.failures import Failure
from study.storage import Storage, check_creates_once, create, read_plan, write_plan
from study.storage.trials import Records
from study.trial.leases import Held, Lease
from wbc_model.choices import CELLS
from wbc_model.config import TrialConfig
from wbc_model.errors import Damaged, InputError
from wbc_model.files import sealed
from wbc_model.scoring.metrics import ConfusionMatrix

TRIAL = Trial(TrialConfig(), 0)
EYE = ConfusionMatrix(CELLS, tuple(tuple(int(i == j) for j in range(5)) for i in range(5)))
RECORD = RunRecord(trial=TRIAL, best_epoch=0, validation=EYE, test=EYE, curves=[], seconds=1, provenance={})


STORES = ("bucket", "troubled_bucket", "google_bucket", "azure_container")


@pytest.fixture
def troubled_bucket(bucket: str, impatient: None) -> Iterator[str]:  # noqa: ARG001
    """A bucket that refuses many requests, and loses or cuts off answers to others."""
    trouble = Trouble(latency=0.01)
    trouble.often()
    with object_stores.in_trouble(bucket, trouble):
        yield bucket
    assert trouble.met


@pytest.fixture(params=["folder", "memory", *(pytest.param(store, marks=pytest.mark.slow) for store in STORES)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return Storage(str(tmp_path))
    root = "memory:/" if request.param == "memory" else request.getfixturevalue(request.param)
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
        files.set_stale_aside()
        assert storage.finished() == set()
        assert files.read(f"stale-{number}.json") is not None


DAMAGES = {
    "empty": lambda _: b"",
    "half": lambda content: content[: len(content) // 2],
    "other JSON": lambda _: b'{"state": "fine"}',
    "a list": lambda _: b"[]",
    "bad UTF-8": lambda content: content.replace(b"trial", b"tri\xffal", 1),
    "another digit": lambda content: content.replace(b'"seconds": 1', b'"seconds": 2', 1),
    "of another trial": lambda _: sealed(replace(RECORD, trial=replace(TRIAL, seed=1)).to_json()),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_record_is_named_and_its_trial_counts_as_unfinished(kind: str, storage: Storage):
    files, other = storage.trial(TRIAL.id), replace(RECORD, trial=replace(TRIAL, seed=2))
    files.finish(RECORD)
    storage.trial(other.trial.id).finish(other)
    files.write("record.json", DAMAGES[kind](files.read("record.json")))
    with pytest.raises(Damaged):
        files.record()
    records = storage.records()
    assert records.intact == {other.trial.id: other}
    assert list(records.damaged) == [TRIAL.id]
    assert records.damaged[TRIAL.id].startswith(f"{files.folder / 'record.json'} is damaged: ")
    assert storage.finished() == {other.trial.id}
    assert files.set_aside("record.json") == "damaged-0-record.json"
    assert storage.records().damaged == {}


def test_a_record_of_another_protocol_and_a_copied_folder_are_nobody_s(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
):
    storage.trial(TRIAL.id).finish(RECORD)
    storage.trial(f"{TRIAL.id} (copy)").finish(RECORD)
    assert storage.finished() == {TRIAL.id}
    monkeypatch.setattr("wbc_model.config.PROTOCOL", 3)
    assert storage.records() == Records({}, {})


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}\n', b'{"epoch": 1}\n', b"\xff", b"[1]"])
def test_a_damaged_epoch_log_or_failure_is_named(content: bytes, storage: Storage):
    files = storage.trial(TRIAL.id)
    files.write("epochs.jsonl", content)
    with pytest.raises(Damaged, match=r"epochs\.jsonl is damaged: "):
        files.epochs()
    files.write("error.json", content)
    failure = files.failure()
    assert failure
    assert "error.json is damaged: " in failure.error


def test_a_plan_comes_back_unless_it_is_damaged(storage: Storage):
    write_plan(storage, [TRIAL])
    assert read_plan(storage) == [TRIAL]
    for content in (b"", b"{}", b"[1]", sealed([TRIAL.to_json()]).replace(b'"seed": 0', b'"seed": 7')):
        storage.write("plan.json", content)
        with pytest.raises(Damaged, match=r"plan\.json is damaged: .*launched the study writes it again"):
            read_plan(storage)


def test_drafts_of_dead_attempts_are_swept_and_leases_being_written_are_not(tmp_path: Path):
    files = Storage(str(tmp_path)).trial(TRIAL.id)
    files.write("checkpoint.pt", b"whole")
    drafts = [".checkpoint.pt.4711", f".checkpoint.pt.{'0' * 32}", f".lease-1.json.{'0' * 32}", ".mine"]
    for name in drafts:
        (tmp_path / "trials" / TRIAL.id / name).touch()
    files.sweep()
    left = {file.name for file in files.folder.iterdir()}
    assert left == {"checkpoint.pt", f".lease-1.json.{'0' * 32}", ".mine"}


def test_a_store_that_creates_an_object_once_is_taken(storage: Storage):
    check_creates_once(storage.root)
    storage.write("other", b"")
    assert [file.name for file in storage.root.iterdir()] == ["other"]


@pytest.mark.slow
def test_a_store_that_creates_what_is_there_is_refused(google_bucket: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(object_stores, "HEEDED", set())
    with pytest.raises(InputError, match=f"{google_bucket}/once.*two workers"):
        check_creates_once(Storage(f"{google_bucket}/once").root)


@pytest.mark.parametrize("end", [b"", b"\r", b"\n", b"\r\n", b"\0", b"\r\r"])
def test_bytes_come_back_as_they_were(end: bytes, storage: Storage):
    for content in (end, b"a\rb\r\nc\n" + end):
        storage.write("file", content)
        assert storage.read("file") == content


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
