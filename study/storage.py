"""Records, epoch logs and checkpoints of every trial, in a folder or an object store by URL. No torch, no ray.

trials/<trial id>/record.json       written last: the trial is finished
                  epochs.jsonl      one row an epoch
                  predictions.npz   ids, truth and class probabilities of the test images
                  gradcam.png       test images of each class and what decided them, of two-branch models
                  checkpoint.pt     the state after the last epoch, while unfinished
                  error.txt         the traceback of a failed attempt, while unfinished
data/<dataset>-<fingerprint>.csv    which file was in which set, its hash, or why it was left out
wandb/<run folder>/                 the W&B files of each finished or failed trial
"""

import json
import os
from pathlib import Path
from typing import Any

from upath import UPath

from study.plan import RunRecord


class Storage:
    """The root of a study's results."""

    def __init__(self, root: str) -> None:
        self.root = UPath(root)

    def finished(self) -> set[str]:
        """Ids of the trials that have a record."""
        return {file.parent.name for file in self.root.glob("trials/*/record.json")}

    def write(self, name: str, content: bytes) -> None:
        _write(self.root / name, content)

    def trial(self, trial_id: str) -> "TrialFiles":
        return TrialFiles(self.root / "trials" / trial_id)

    def add_run(self, folder: Path, *, trial_id: str) -> None:
        """Copy a closed W&B run folder; one of an earlier attempt at the same trial makes way for it."""
        for stale in self.root.glob(f"wandb/*-{trial_id}"):
            for file in [entry for entry in stale.rglob("*") if entry.is_file()]:
                file.unlink()
        for file in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
            _write(self.root / "wandb" / folder.name / file.relative_to(folder).as_posix(), file.read_bytes())


class TrialFiles:
    """What is kept of one trial. Every write replaces its file whole or not at all."""

    def __init__(self, folder: UPath) -> None:
        self.folder = folder

    def read(self, name: str) -> bytes | None:
        """A file's bytes, or None where there is none."""
        file = self.folder / name
        return file.read_bytes() if file.exists() else None

    def write(self, name: str, content: bytes) -> None:
        _write(self.folder / name, content)

    def epochs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.read("epochs.jsonl") or b"").splitlines()]

    def discard(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def error(self) -> str:
        """Why the last attempt failed: a traceback, if the trial lived to write one."""
        return (self.read("error.txt") or b"lost: its worker died without a word").decode().strip()

    def write_epochs(self, rows: list[dict[str, Any]]) -> None:
        self.write("epochs.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())

    def finish(self, record: RunRecord) -> None:
        """Write the record, after which the trial is finished, and drop what only an unfinished one needs."""
        self.write("record.json", json.dumps(record.to_json()).encode())
        self.discard("checkpoint.pt")
        self.discard("error.txt")


def _write(file: UPath, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.protocol not in ("", "file"):  # an object store replaces whole objects
        file.write_bytes(content)
        return
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(file)
