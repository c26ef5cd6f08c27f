"""Records, epoch logs and checkpoints of every trial, in a folder or an object store by URL. No torch, no ray.

trials/<trial id>/record.json       written last: the trial is finished
                  epochs.jsonl      one row per epoch
                  predictions.npz   ids, truth and class probabilities of the test images
                  predictions-<dataset>.npz    the same for another dataset's test images (test_on)
                  gradcam.png       Grad-CAM of test images of each class, of two-branch models
                  checkpoint.pt     the state after the last epoch, while unfinished
                  error.json        why the last attempt failed, while unfinished
                  pruned.json       in a search: the trial was stopped before its last epoch
                  lease-<n>.json    which process works on it (study/trial/leases.py)
                  stale-<n>.json    records made from other data or weights, set aside
data/<dataset>-<fingerprint>.csv    each file's set and hash, or why it was left out
wandb/<run folder>/                 the W&B files of each finished or failed trial
doctor/<address>                    what each node of a cluster wrote for the others to read (study/doctor/examine.py)
searches/<name>/                    a storage of its own for each search (study/search.py)
plan.json, costs.json               the trials of the latest launch; what trials cost, by device
weights.json                        the commit of each repository on the hub that pre-trained weights are taken from
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from upath import UPath

from study.plan import RunRecord, Trial, read_record
from study.scheduling.failures import Failure
from wbc_model.errors import InputError, validating
from wbc_model.files import create_whole, write_whole

PRUNED = "pruned.json"
"""A file in the folder of a search's trial that was stopped before its last epoch."""


def predictions_file(on: str | None = None) -> str:
    """Name of the file of a trial's predictions on the test images of another dataset; None: of its own."""
    return f"predictions-{on}.npz" if on else "predictions.npz"


def manifest_file(dataset: str, fingerprint: str) -> str:
    """Where a storage keeps the manifest of the images behind some trials."""
    return f"data/{dataset}-{fingerprint}.csv"


def place(text: str) -> str:
    """A storage as a user names it: a URL unchanged, a folder as an absolute path."""
    return text if "://" in text else str(Path(text).absolute())


def root_of(text: str) -> UPath:
    """A folder or URL as a path that shows what other processes write (no listing is cached).

    Raises:
        InputError: a URL of an unknown protocol.
    """
    if "://" not in text:
        return UPath(text)
    try:
        return UPath(text, use_listings_cache=False)
    except (ValueError, ImportError) as error:  # no such protocol, or its client is not installed
        raise InputError(f"{text}: {error}; wanted a folder, s3://... or gs://...") from error


class Storage:
    """The root of a study's results."""

    def __init__(self, root: str) -> None:
        self.root = root_of(root)

    def finished(self) -> set[str]:
        """Ids of the trials that have a record."""
        return {file.parent.name for file in self.root.glob("trials/*/record.json")}

    def read(self, name: str) -> bytes | None:
        return _read(self.root / name)

    def write(self, name: str, content: bytes) -> None:
        write(self.root / name, content)

    def trial(self, trial_id: str) -> "TrialFiles":
        return TrialFiles(self.root / "trials" / trial_id)

    def size(self, trial_id: str) -> int:
        """Bytes in storage for a trial, its W&B run included."""
        places = [self.root / "trials" / trial_id, *self.root.glob(f"wandb/*-{trial_id}")]
        return sum(file.stat().st_size for place in places for file in place.rglob("*") if file.is_file())

    def add_run(self, folder: Path, *, run_id: str) -> None:
        """Copy the folder of a closed W&B run, in place of that of an earlier attempt at the same trial."""
        for stale in self.root.glob(f"wandb/*-{run_id}"):
            for file in [entry for entry in stale.rglob("*") if entry.is_file()]:
                file.unlink()
        for file in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
            write(self.root / "wandb" / folder.name / file.relative_to(folder).as_posix(), file.read_bytes())


class TrialFiles:
    """The files of one trial. Every write replaces its file whole or not at all."""

    def __init__(self, folder: UPath) -> None:
        self.folder = folder

    def read(self, name: str) -> bytes | None:
        """A file's bytes, or None if it does not exist."""
        return _read(self.folder / name)

    def write(self, name: str, content: bytes) -> None:
        write(self.folder / name, content)

    def size(self, name: str) -> int:
        """A file's size in bytes, or 0 if it does not exist."""
        file = self.folder / name
        return file.stat().st_size if file.exists() else 0

    def record(self) -> RunRecord | None:
        """The record of a finished trial.

        Raises:
            InputError: this version cannot read it.
        """
        content = self.read("record.json")
        return None if content is None else read_record(content, where=str(self.folder / "record.json"))

    def set_aside(self) -> None:
        """Keep the record under another name, after which the trial counts as unfinished."""
        content = self.read("record.json")
        assert content is not None
        self.write(f"stale-{len(list(self.folder.glob('stale-*.json')))}.json", content)
        self.discard("record.json")

    def epochs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.read("epochs.jsonl") or b"").splitlines()]

    def discard(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def failure(self) -> Failure | None:
        """Why the last attempt failed."""
        content = self.read("error.json")
        return None if content is None else Failure.from_json(json.loads(content))

    def write_failure(self, failure: Failure) -> None:
        self.write("error.json", json.dumps(failure.to_json()).encode())

    def write_epochs(self, rows: list[dict[str, Any]]) -> None:
        self.write("epochs.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())

    def finish(self, record: RunRecord) -> None:
        """Write the record, after which the trial is finished, and delete what only an unfinished trial needs."""
        self.write("record.json", json.dumps(record.to_json()).encode())
        self.discard("checkpoint.pt")
        self.discard("error.json")


def write(file: UPath, content: bytes) -> None:
    """Replace a file whole or not at all."""
    if _is_local(file):
        write_whole(Path(str(file)), content)
    else:  # an object store replaces whole objects
        file.fs.pipe_file(file.path, content)


def create(file: UPath, content: bytes) -> None:
    """Write a file that does not exist yet, whole or not at all; of several that try at the same time, one succeeds.

    Raises:
        FileExistsError: the file exists.
    """
    if _is_local(file):
        create_whole(Path(str(file)), content)
    else:
        file.fs.pipe_file(file.path, content, mode="create")


def _read(file: UPath) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _is_local(file: UPath) -> bool:
    return file.protocol in ("", "file")


PLAN = "plan.json"


def write_plan(storage: Storage, trials: Sequence[Trial]) -> None:
    """Keep the trials of the latest launch."""
    storage.write(PLAN, json.dumps([trial.to_json() for trial in trials]).encode())


def read_plan(storage: Storage) -> list[Trial]:
    """The trials of the latest launch.

    Raises:
        InputError: nothing was launched there, or this version cannot read what was.
    """
    content = storage.read(PLAN)
    if content is None:
        raise InputError(f"no study was launched in {storage.root}: give its --storage")
    with validating(f"{storage.root / PLAN}: a plan that this version cannot read"):
        return [Trial.from_json(trial) for trial in json.loads(content)]
