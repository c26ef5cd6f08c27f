"""Compare written files with the runs: `python -m analysis check`, by what `made_from*.json` recorded."""

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from analysis.arguments import add_arguments, parse
from analysis.commands import laboratory, robustness, verify
from analysis.load import load
from analysis.output.files import layouts, outputs
from analysis.output.made_from import CellTexts, cell_texts, name_of
from analysis.runs.fingerprints import fingerprints
from analysis.runs.read import read
from analysis.tables.layout import TableLayout
from study.plan import RunRecord
from study.storage import root_of
from wbc_model.errors import InputError, reports_input_errors
from wbc_model.files import sha256_of
from wbc_model.plain_text import counted, printable

Printed = Callable[..., tuple[Sequence[TableLayout], Mapping[str, str]]]
"""From a study, tables and the text of every file, by name."""
PRINTED: Mapping[str, Printed] = {
    name_of(""): lambda study: (layouts(study), outputs(study)),
    name_of("laboratory"): laboratory.printed,
    name_of("robustness"): robustness.printed,
    name_of("verify"): verify.printed,
}
"""What each file that records files was written with."""
OURS = ("*.csv", "figure_*", "search_*", "table_*")
"""Files that commands may have written without recording them: `compare.csv` is of two studies."""


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Name every cell, file and trial that has changed; 0: none has, 1: some have, 2: nothing could be compared."""
    options = parse(parser(), argv)
    out: Path = options.pop("out")
    given = {name: value for name, value in options.items() if value not in (None, [])}
    kept = {name: _recorded(out / name) for name in PRINTED if (out / name).is_file()}
    if not kept:
        raise InputError(
            f"{out / name_of('')} is missing: nothing to compare; python -m analysis writes it beside the tables"
        )
    changed = [line for name, one in kept.items() for line in _changed(one, PRINTED[name], given, out)]
    trials = {trial for one in kept.values() for trial in one["trials"]}
    same = f"{out}: as the runs have it, {counted(len(trials), 'trial')}"
    print("\n".join(map(printable, dict.fromkeys(changed))) or same)
    recorded = {file for one in kept.values() for file in one["files"]}
    if others := sorted({file.name for pattern in OURS for file in out.glob(pattern)} - recorded):
        print(printable(f"Not checked, as nothing recorded what they were made from: {', '.join(others)}"))
    return 1 if changed else 0


def _changed(kept: Mapping[str, Any], printed: Printed, given: Mapping[str, Any], out: Path) -> Iterator[str]:
    """What has changed of the files of one command."""
    asked = kept["arguments"] | given
    wandb = asked.get("wandb")
    reading = read(None if wandb else root_of(asked["storage"]), wandb=wandb)
    try:
        tables, fresh = printed(load(**asked, reading=reading), **kept["options"])
    except InputError as error:
        found = [f"cannot be printed any more: {error}", *_edited(kept["files"], {}, out).values()]
    else:
        found = [*_compare(kept, tables, fresh, out)]
    yield from _trials(kept["trials"], reading.records)  # to which `load` has added the models that were tested later
    yield from found


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
        InputError: it is damaged, or was written by a version that recorded less.
    """
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{file} is damaged: {error}") from error
    if "options" not in kept:
        raise InputError(
            f"{file} was written by an older version, which recorded less: "
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


def _compare(
    kept: Mapping[str, Any], tables: Sequence[TableLayout], fresh: Mapping[str, str], out: Path
) -> Iterator[str]:
    """Files that are not as they were written, then what the runs give now and did not give then."""
    edited = _edited(kept["files"], fresh, out)
    yield from edited.values()
    told = set(edited)
    stale = {name for name, text in fresh.items() if _sha256(text) != kept["files"].get(name)}
    for number, cell in _cells(kept["cells"], cell_texts(tables)):
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
