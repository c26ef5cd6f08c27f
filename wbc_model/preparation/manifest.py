"""What became of each file of a dataset: a CSV of the project's own, for people too. Needs no torch."""

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter
from upath import UPath

from wbc_model.preparation.splits import Split


@dataclass(frozen=True)
class Entry:
    """A line of the manifest: what became of one file."""

    id: str
    cell: str
    split: Split | Literal[""]
    """Empty where it is left out."""
    copies: int
    """Augmented ones of it, in the training set only."""
    sha256: str
    """Of the file."""
    excluded: str
    """Why it is left out; empty where it is not."""


def read_manifest(path: Path | UPath) -> tuple[Entry, ...]:
    with path.open(newline="") as file:
        return tuple(_ENTRIES.validate_python(list(csv.DictReader(file))))


def write_manifest(path: Path, entries: Iterable[Entry]) -> None:
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(field.name for field in fields(Entry))
        lines.writerows(astuple(entry) for entry in entries)


_ENTRIES: TypeAdapter[list[Entry]] = TypeAdapter(list[Entry])
