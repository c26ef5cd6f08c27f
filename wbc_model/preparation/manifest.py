"""The manifest of a prepared dataset: a CSV file with one line per file found. Needs no torch."""

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, TypeAdapter
from upath import UPath

from wbc_model.preparation.splits import Split


@dataclass(frozen=True)
class Entry:
    """One file of a dataset: the set it is in, or why it is in none."""

    id: str
    cell: str
    split: Split | Literal[""]
    """Empty for a file that is left out."""
    copies: int
    """Number of its augmented copies, which are in the training set only."""
    sha256: str
    """Hash of the file's bytes."""
    excluded: str
    """Why the file is left out; empty if it is not."""
    size: Annotated[int | None, BeforeValidator(lambda value: None if value == "" else value)] = None
    """Of the file, in bytes; None in a manifest from before sizes were kept."""
    group: str = ""
    """The slide, patient or cell that the image shows; empty where that is not known."""


def read_manifest(path: Path | UPath) -> tuple[Entry, ...]:
    """The entries of a manifest, in its order; `size` and `group` may be missing, as in old manifests."""
    with path.open(newline="") as file:
        return tuple(_ENTRIES.validate_python(list(csv.DictReader(file))))


def write_manifest(path: Path, entries: Iterable[Entry]) -> None:
    """Write entries as CSV, under a heading of the field names."""
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(field.name for field in fields(Entry))
        lines.writerows(astuple(entry) for entry in entries)


_ENTRIES: TypeAdapter[list[Entry]] = TypeAdapter(list[Entry])
