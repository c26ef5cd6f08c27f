"""The manifest of a prepared dataset: a CSV file with one line per file found. Needs no torch."""

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, TypeAdapter
from upath import UPath

from wbc_model.errors import decoding
from wbc_model.plain_text import csv_quoted, csv_unquoted
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
    """The entries of a manifest, in its order; `size` and `group` may be missing, as in old manifests.

    Raises:
        Damaged: it is no manifest.
    """
    return decode_manifest(path.read_bytes(), where=path)


def decode_manifest(content: bytes, *, where: object) -> tuple[Entry, ...]:
    """As `read_manifest`, from the content of the file `where`."""
    with decoding(where):
        lines = csv.DictReader(io.StringIO(content.decode(), newline=""))
        # a damaged line has a None, or a list, in place of some texts
        texts = [{k: csv_unquoted(v) if isinstance(v, str) else v for k, v in line.items()} for line in lines]
        return tuple(_ENTRIES.validate_python(texts))


def fingerprint_of(entries: Iterable[Entry]) -> str:
    """Hash over the content, class and set of every image: two machines with equal ones train on equal data."""
    lines = sorted(f"{entry.split} {entry.cell} {entry.copies} {entry.sha256}" for entry in entries if entry.split)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def write_manifest(path: Path, entries: Iterable[Entry]) -> None:
    """Write entries as CSV, under a heading of the field names."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(field.name for field in fields(Entry))
        for entry in entries:
            lines.writerow(csv_quoted(value) if isinstance(value, str) else value for value in astuple(entry))


_ENTRIES: TypeAdapter[list[Entry]] = TypeAdapter(list[Entry])
