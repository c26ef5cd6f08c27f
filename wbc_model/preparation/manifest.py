"""The manifest of a prepared dataset: a CSV file with one line per file found. Needs no torch."""

import csv
import hashlib
import io
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, TypeAdapter
from upath import UPath

from wbc_model.errors import Damaged, decoding
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
    pixels: str = ""
    """Width and height of the file's picture, as `720x576`; empty in a manifest from before they were kept."""


def read_manifest(path: Path | UPath) -> tuple[Entry, ...]:
    """The entries of a manifest, in its order; `size`, `group` and `pixels` may be missing, as in old manifests.

    Raises:
        Damaged: it is no manifest.
    """
    return decode_manifest(path.read_bytes(), where=path)


def decode_manifest(content: bytes, *, where: object) -> tuple[Entry, ...]:
    """As `read_manifest`, from the content of the file `where`."""
    with decoding(where):
        heading, *lines = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        if heading not in (HEADING, [*HEADING[:8], CRC32], HEADING[:8], HEADING[:6]):
            raise Damaged(f"{where} is damaged: its columns are {', '.join(heading)}")
        checked = heading[-1] == CRC32
        if not lines or checked and {line.pop() for line in lines} != {_checksum(lines)}:
            raise Damaged(f"{where} is damaged: its lines are not those that were written")
        names = heading[: len(heading) - checked]
        return tuple(
            _ENTRIES.validate_python([dict(zip(names, map(csv_unquoted, line), strict=True)) for line in lines])
        )


def fingerprint_of(entries: Iterable[Entry]) -> str:
    """Hash over the content, class and set of every image: two machines with equal ones train on equal data."""
    lines = sorted(f"{entry.split} {entry.cell} {entry.copies} {entry.sha256}" for entry in entries if entry.split)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def write_manifest(path: Path, entries: Iterable[Entry]) -> None:
    """Write entries as CSV, under a heading of the field names."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = [["" if each is None else csv_quoted(str(each)) for each in astuple(entry)] for entry in entries]
        crc32 = _checksum(lines)
        csv.writer(file).writerows([HEADING, *([*line, crc32] for line in lines)])


def _checksum(lines: Sequence[Sequence[str]]) -> str:
    """CRC-32 of all lines, as 8 hexadecimal digits."""
    return f"{zlib.crc32(json.dumps(lines).encode()):08x}"


CRC32 = "crc32"
HEADING = [*(field.name for field in fields(Entry)), CRC32]
"""The columns; the last is over all lines, the same in each. Older manifests lack `pixels`, or more."""
_ENTRIES: TypeAdapter[list[Entry]] = TypeAdapter(list[Entry])
