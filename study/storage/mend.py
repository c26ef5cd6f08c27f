"""How damaged files are mended: restored from W&B's copy or from other files, or else set aside."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from study.plan import RunRecord, read_record
from study.storage.beside import check_file
from study.storage.paths import delete, listed, read_bytes, set_aside
from study.storage.revisions import REVISIONS, revisions_of, write_revisions
from study.storage.trials import Storage, TrialFiles
from wbc_model.errors import Damaged, InputError
from wbc_model.files import sealed

RecordsOf = Callable[[str], Iterable[str]]
"""Gives the records, as JSON, that W&B has of a trial by its id."""


@dataclass(frozen=True)
class Mended:
    """What was done about a fault."""

    done: str
    whole: bool = True
    """Whether nothing is missing now."""


def restore_record(files: TrialFiles, records_of: RecordsOf) -> Mended:
    """Replace a damaged record by that of the trial's W&B run; without one, set it aside."""
    for text in records_of(files.folder.name):
        try:
            record = read_record(text, where="W&B")
        except InputError:
            continue
        if record.trial.id == files.folder.name:
            files.write("record.json", sealed(record.to_json()))
            return Mended("it is restored from its W&B run")
    kept = files.set_aside("record.json")
    return Mended(f"W&B has no copy: it is kept as {kept}, and the next launch runs the trial again", whole=False)


def restore_file(storage: Storage, files: TrialFiles, record: RunRecord, name: str) -> Mended:
    """Replace a damaged file beside a record by that of the trial's W&B run; without one, set it aside."""
    stem, _, suffix = name.rpartition(".")
    for pattern in (name, f"media/images/{stem}_*.{suffix}"):
        for copy in listed(storage.root, f"wandb/*-{record.trial.id}/files/{pattern}"):
            try:
                check_file(record, name, content := read_bytes(copy), where=copy)
            except Damaged:
                continue
            files.write(name, content)
            return Mended("it is restored from its W&B run")
    kept = f"it is kept as {files.set_aside(name)}, and " if files.read(name) is not None else ""
    return Mended(f"W&B has no copy: {kept}tables go on without it", whole=False)


def restore_epochs(files: TrialFiles, record: RunRecord) -> Mended:
    files.write_epochs(record.curves)
    return Mended("it is written again from the record")


def restore_revisions(storage: Storage) -> Mended:
    """Take the commits of weights from the records."""
    kept = storage.set_aside(REVISIONS)
    write_revisions(storage, revisions_of(storage.records().intact.values()))
    return Mended(f"it is kept as {kept}, and the commits are taken from the records")


def keep(file: UPath, instead: str, *, whole: bool = True) -> Mended:
    """Set a file aside.

    Args:
        instead: what happens without it.
    """
    return Mended(f"it is kept as {set_aside(file).name}: {instead}", whole)


def remove(path: Path | UPath) -> Mended:
    """Remove a file, or a local folder without files; if a running trial writes one now, it stays."""
    if path.is_dir():
        for folder, _, _ in os.walk(str(path), topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
    else:
        delete(UPath(path))
    return Mended("it is removed")
