"""Compare written files with the runs: `python -m analysis check`, by what `made_from.json` recorded."""

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from analysis.arguments import add_arguments, parse
from analysis.load import Study, load
from analysis.output.files import outputs
from analysis.output.made_from import NAME, CellTexts, cell_texts
from analysis.runs.fingerprints import fingerprints
from analysis.runs.read import read
from study.plan import RunRecord
from study.storage import root_of
from wbc_model.errors import InputError, reports_input_errors
from wbc_model.files import sha256_of
from wbc_model.plain_text import printable


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Name every cell, file and trial that has changed; 0: none has, 1: some have, 2: nothing could be compared."""
    options = parse(parser(), argv)
    out: Path = options.pop("out")
    kept = _recorded(out / NAME)
    given = {name: value for name, value in options.items() if value not in (None, [])}
    asked = kept["arguments"] | given
    wandb = asked.get("wandb")
    reading = read(None if wandb else root_of(asked["storage"]), wandb=wandb)
    changed = list(_trials(kept["trials"], reading.records))
    try:
        changed += _compare(kept, load(**asked, reading=reading), out)
    except InputError as error:
        changed += [f"cannot be printed any more: {error}", *_edited(kept["files"], {}, out).values()]
    print("\n".join(map(printable, changed)) or f"{out}: as the runs have it, {len(kept['trials'])} trials")
    return 1 if changed else 0


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="python -m analysis check",
        description="Compare the files that `python -m analysis` wrote with what the runs give now, cell by cell, find "
        "files that were edited since, and trials that changed or are gone. The options of that time apply again.",
        epilog="exit status: 0 nothing has changed, 1 something has (each is named), 2 nothing could be compared",
    )
    add_arguments(described)
    described.set_defaults(storage=None)
    return described


def _recorded(file: Path) -> dict[str, Any]:
    """What was recorded when the files were written.

    Raises:
        InputError: it is missing or damaged, or was written by a version that recorded no cell texts.
    """
    if not file.is_file():
        raise InputError(f"{file} is missing: nothing to compare; python -m analysis writes it beside the tables")
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{file} is damaged: {error}") from error
    if "cells" not in kept:
        raise InputError(
            f"{file} was written by an older version and has no cell texts to compare: "
            f"print again, python -m analysis --out {file.parent}"
        )
    return kept


def _trials(before: dict[str, dict[str, Any]], records: Sequence[RunRecord]) -> Iterator[str]:
    """What became of the trials that the files were made from."""
    now = {record.trial.id: fingerprints(record) for record in records}
    for trial, old in before.items():
        rows = "; ".join(old["rows"])
        if trial not in now:
            yield f"{rows}: its trial {trial} is gone"
            continue
        for part, value in now[trial].items():
            if old[part] != value:
                yield f"{rows}: {part} of trial {trial} was {old[part]}, is {value}"


def _compare(kept: Mapping[str, Any], study: Study, out: Path) -> Iterator[str]:
    """Files that are not as they were written, then what the runs give now and did not give then."""
    fresh = outputs(study)
    edited = _edited(kept["files"], fresh, out)
    yield from edited.values()
    told = set(edited)
    stale = {name for name, text in fresh.items() if _sha256(text) != kept["files"].get(name)}
    for number, cell in _cells(kept["cells"], cell_texts(study)):
        files = [name for name in fresh if name in stale and name.startswith(f"table_{number}.")]
        yield f"{cell} in {', '.join(files)}" if files else cell
        told.update(files)
    for name in fresh:
        if name in stale and name not in told:
            yield f"{name}: {_first_difference(out / name, fresh[name])}" if name in kept["files"] else f"{name} is new"


def _edited(hashes: Mapping[str, str], fresh: Mapping[str, str], out: Path) -> dict[str, str]:
    """By name, each file that is missing or was edited, and what is known of the difference."""
    found = {}
    for name, sha256 in hashes.items():
        file = out / name
        if not file.exists():
            found[name] = f"{name} is missing"
        elif sha256_of(file) != sha256:
            line = _first_difference(file, fresh[name]) if name in fresh else ""
            found[name] = f"{name}: edited since it was written{line and f'; {line}'}"
    return found


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _cells(before: CellTexts, now: CellTexts) -> Iterator[tuple[str, str]]:
    """The table's number and the description of each cell that differs."""
    for number in {**before, **now}:
        old, new = before.get(number, {}), now.get(number, {})
        for row in {**old, **new}:
            was, is_ = old.get(row, {}), new.get(row, {})
            for heading in {**was, **is_}:
                if was.get(heading) != is_.get(heading):
                    cell = f"Table {number}, {row}, {heading}"
                    yield number, f"{cell}: {was.get(heading, 'nothing')}, the runs give {is_.get(heading, 'nothing')}"


def _first_difference(file: Path, fresh: str) -> str:
    """The first line of a text file that is not what the runs give; empty where there is none."""
    old = file.read_text(encoding="utf-8", errors="replace")
    for n, (was, is_) in enumerate(zip_longest(old.splitlines(), fresh.splitlines()), start=1):
        if was != is_:
            return f"line {n} is {was!r}, the runs give {is_!r}"
    return ""
