"""The records, epoch logs and other files of trials. No torch, no ray."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from upath import UPath

from study.plan import RunRecord, read_record
from study.scheduling.failures import Failure
from study.storage.paths import asking, delete, is_draft, listed, read, root_of, set_aside, write
from wbc_model.errors import Damaged, decoding
from wbc_model.files import sealed, sealed_lines, unsealed, unsealed_lines

PRUNED = "pruned.json"
"""A file in the folder of a search's trial that was stopped before its last epoch."""
TRIAL_ID = re.compile(r"[0-9a-f]{10}-s\d+")


def predictions_file(on: str | None = None) -> str:
    """Name of the file of a trial's predictions on the test images of another dataset; None: of its own."""
    return f"predictions-{on}.npz" if on else "predictions.npz"


def manifest_file(dataset: str, fingerprint: str) -> str:
    """Where a storage keeps the manifest of the images behind some trials."""
    return f"data/{dataset}-{fingerprint}.csv"


@dataclass(frozen=True)
class Records:
    """The records of a storage by trial id."""

    intact: dict[str, RunRecord]
    damaged: dict[str, str]
    """What is wrong with each of the others, and where it is: their trials count as unfinished."""


class Storage:
    """The root of a study's results."""

    def __init__(self, root: str) -> None:
        self.root = root_of(root)

    def recorded(self) -> list[str]:
        """Ids of the trials with a record, be it damaged."""
        return sorted(name for name in self.having("record.json") if TRIAL_ID.fullmatch(name))

    def having(self, name: str) -> set[str]:
        """Names of the trials' folders with a file of this name."""
        return {file.parent.name for file in listed(self.root, f"trials/*/{name}")}

    def records(self) -> Records:
        """The records that there are, without those of another PROTOCOL.

        Raises:
            InputError: one that this version cannot read.
        """
        intact, damaged = {}, {}
        for trial_id in self.recorded():
            try:
                if record := self.trial(trial_id).record():
                    intact[trial_id] = record
            except Damaged as error:
                damaged[trial_id] = str(error)
        return Records(intact, damaged)

    def finished(self) -> set[str]:
        """Ids of the trials that have a record which is not damaged; raises as `records`."""
        return set(self.records().intact)

    def read(self, name: str) -> bytes | None:
        return read(self.root / name)

    def write(self, name: str, content: bytes) -> None:
        write(self.root / name, content)

    def set_aside(self, name: str) -> str:
        """Keep a damaged file under another name, which is returned."""
        return set_aside(self.root / name).name

    def trial(self, trial_id: str) -> "TrialFiles":
        return TrialFiles(self.root / "trials" / trial_id)

    def size(self, trial_id: str) -> int:
        """Bytes in storage for a trial, its W&B run included."""
        places = [self.root / "trials" / trial_id, *listed(self.root, f"wandb/*-{trial_id}")]
        with asking(self.root):  # one listing of each, not a request per file
            found = [cast(dict[str, Any], at.fs.find(at.path, detail=True)) for at in places]
        return sum(file["size"] for files in found for file in files.values())

    def add_run(self, folder: Path, *, run_id: str) -> None:
        """Copy the folder of a closed W&B run, in place of that of an earlier attempt at the same trial."""
        for stale in listed(self.root, f"wandb/*-{run_id}"):
            with asking(stale):
                stale.fs.rm(stale.path, recursive=True)
        for file in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
            write(self.root / "wandb" / folder.name / file.relative_to(folder).as_posix(), file.read_bytes())


class TrialFiles:
    """The files of one trial. Every write replaces its file whole or not at all."""

    def __init__(self, folder: UPath) -> None:
        self.folder = folder

    def read(self, name: str) -> bytes | None:
        """A file's bytes, or None if it does not exist."""
        return read(self.folder / name)

    def write(self, name: str, content: bytes) -> None:
        write(self.folder / name, content)

    def size(self, name: str) -> int:
        """A file's size in bytes, or 0 if it does not exist."""
        with asking(self.folder), suppress(FileNotFoundError):
            return (self.folder / name).stat().st_size
        return 0

    def record(self) -> RunRecord | None:
        """The record of a finished trial; None if there is none, or one of another PROTOCOL.

        Raises:
            Damaged: it is no record, or that of another trial.
            InputError: this version cannot read it.
        """
        content, where = self.read("record.json"), self.folder / "record.json"
        if content is None:
            return None
        record = read_record(content, where=str(where))
        if record.trial.id == self.folder.name:
            return record
        if self.folder.name in record.trial.ids_before:
            return None
        raise Damaged(f"{where} is damaged: it is the record of trial {record.trial.id}")

    def set_aside(self, name: str) -> str:
        """Keep a damaged file under another name, which is returned."""
        return set_aside(self.folder / name).name

    def set_stale_aside(self) -> None:
        """Keep the record under another name, after which the trial counts as unfinished."""
        set_aside(self.folder / "record.json", name="stale-{n}.json")

    def epochs(self) -> list[dict[str, Any]]:
        """The rows of the epochs that were trained, in order.

        Raises:
            Damaged: they are not what was written.
        """
        content, where = self.read("epochs.jsonl"), self.folder / "epochs.jsonl"
        if content is None:
            return []
        if not content:
            raise Damaged(f"{where} is damaged: it is empty")
        rows = unsealed_lines(content, where=where)
        with decoding(where):
            if [row["epoch"] for row in rows] != list(range(len(rows))):
                raise Damaged(f"{where} is damaged: its epochs are not counted from 0")
        return rows

    def sweep(self) -> None:
        """Delete what killed attempts did not complete. Call it under the lease; others may be writing leases."""
        for file in listed(self.folder, ".*"):
            if is_draft(file.name) and not file.name.startswith(".lease-"):
                delete(file)

    def discard(self, name: str) -> None:
        delete(self.folder / name)

    def failure(self) -> Failure | None:
        """Why the last attempt failed, as far as that can be read."""
        try:
            return self.read_failure()
        except Damaged as error:
            return Failure.lost(str(error), epochs=0)

    def read_failure(self) -> Failure | None:
        """Why the last attempt failed.

        Raises:
            Damaged: the file is not what was written.
        """
        content, where = self.read("error.json"), self.folder / "error.json"
        if content is None:
            return None
        value = unsealed(content, where=where)
        with decoding(where):
            return Failure.from_json(value)

    def write_failure(self, failure: Failure) -> None:
        self.write("error.json", sealed(failure.to_json()))

    def write_epochs(self, rows: list[dict[str, Any]]) -> None:
        self.write("epochs.jsonl", sealed_lines(rows))

    def finish(self, record: RunRecord) -> None:
        """Write the record, after which the trial is finished, and delete what only an unfinished trial needs."""
        self.write("record.json", sealed(record.to_json()))
        self.discard("checkpoint.pt")
        self.discard("error.json")
