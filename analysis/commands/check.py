"""Are the files still those of the runs? Each carries what it was made from; `python -m analysis check` compares."""

import argparse
import csv
import json
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from analysis.load import Study, add_arguments, load
from analysis.output.files import outputs
from analysis.runs.fingerprints import fingerprints
from analysis.runs.read import read
from analysis.tables.fill import Filled
from study.plan import RunRecord
from study.storage import root_of
from wbc_model.errors import InputError, reports_input_errors

NAME = "made_from.json"


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Name every cell and trial that has moved on; 0: none has, 1: some have, 2: nothing could be compared."""
    args = parser().parse_args(argv)
    kept = _kept(args.out / NAME)
    for name, value in kept["arguments"].items():
        if getattr(args, name) in (None, []):
            setattr(args, name, root_of(value) if name == "runs" else value)
    reading = read(args.runs, wandb=args.wandb)
    moved = list(_trials(kept["trials"], reading.records))
    try:
        study = load(args, reading)
        moved += _files(study, args.out)
    except InputError as error:
        moved.append(f"cannot be printed any more: {error}")
    print("\n".join(moved) or f"{args.out}: as the runs have it, {len(kept['trials'])} trials")
    return 1 if moved else 0


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="python -m analysis check",
        description="Compare what `python -m analysis` has written with what it would write now, cell by cell, and the "
        "trials behind it with those there are. What was asked for then is asked for again.",
        epilog="exit status: 0 all is as the runs have it, 1 something has moved on (each is named), 2 no comparison",
    )
    add_arguments(described)
    described.set_defaults(runs=None)
    return described


def sources(args: argparse.Namespace, study: Study) -> str:
    """What was asked for, and of every trial its fingerprints and rows: the content of `made_from.json`."""
    asked = ("runs", "wandb", "set", "tables", "datasets", "seeds", "photographs")
    said = {name: getattr(args, name) for name in asked}
    if study.storage:
        said["runs"] = study.storage.absolute()
    trials: dict[str, dict[str, Any]] = {}
    for filled in study.tables:
        for row in filled.rows:
            for run in row.runs:
                trial = trials.setdefault(run.trial.id, fingerprints(run) | {"rows": []})
                trial["rows"].append(f"Table {filled.table.number}, {filled.describe(row)}")
    content = {"kind": study.kind, "arguments": said, "trials": trials}
    return json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"


def _kept(file: Path) -> dict[str, Any]:
    """What `sources` wrote.

    Raises:
        InputError: it is missing, or damaged.
    """
    if not file.is_file():
        raise InputError(f"{file} is missing: nothing to compare; python -m analysis writes it beside the tables")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{file} is damaged: {error}") from error


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


def _files(study: Study, out: Path) -> Iterator[str]:
    """Which cells of which files are not those of the runs."""
    tables = {f"table_{filled.table.number}": filled for filled in study.tables}
    for name, fresh in outputs(study).items():
        file = out / name
        if not file.exists():
            yield f"{name} is missing"
        elif (old := file.read_text(encoding="utf-8")) != fresh:
            stem, suffix = name.rsplit(".", 1)
            named = list(_cells(tables[stem], old, fresh, suffix)) if stem in tables else []
            yield from (f"{cell} in {name}" for cell in named)
            if not named:
                yield f"{name}: {_first_difference(old, fresh)}"


def _cells(filled: Filled, old: str, fresh: str, suffix: str) -> Iterator[str]:
    """The boxes that differ, each by its row and heading."""
    before, now = _rows(old, suffix, filled), _rows(fresh, suffix, filled)
    if len(before) != len(now):
        yield f"Table {filled.table.number}: {len(before)} rows, the runs give {len(now)}"
        return
    for row, was, is_ in zip(filled.rows, before, now, strict=True):
        for heading in is_:
            if was.get(heading) != is_[heading]:
                cell = f"Table {filled.table.number}, {filled.describe(row)}, {heading}"
                yield f"{cell}: {was.get(heading) or 'nothing'}, the runs give {is_[heading] or 'nothing'}"


def _rows(text: str, suffix: str, filled: Filled) -> list[dict[str, str]]:
    """What stands in each row of a file, by heading."""
    if suffix == "csv":
        return list(csv.DictReader(text.splitlines()))
    if suffix == "tex":
        body = text.partition("\\midrule\n")[2].partition("\\bottomrule")[0]
        rows = [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if line.endswith(r"\\")]
    elif suffix == "md":
        rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("|")][2:]
    else:
        lines = re.findall(r"<tr>(.*)</tr>", text.partition("<tbody>")[2].partition("</tbody>")[0])
        rows = [re.findall(r"<t[dh][^>]*>.*?</t[dh]>", line) for line in lines]
    scores = [column.label for column in filled.table.columns]
    width = len(scores)
    found = [dict(zip(scores, map(_bare, row[-width:]), strict=False)) for row in rows]
    return [boxes | {"label": " ".join(map(_bare, row[:-width]))} for boxes, row in zip(found, rows, strict=True)]


def _bare(box: str) -> str:
    """A box without HTML's tags and the padding of Markdown."""
    return re.sub(r"</?t[dh][^>]*>", "", box).strip()


def _first_difference(old: str, fresh: str) -> str:
    """Where a file without named cells departs."""
    lines = list(zip_longest(old.splitlines(), fresh.splitlines()))
    n, (was, is_) = next((n, pair) for n, pair in enumerate(lines, start=1) if pair[0] != pair[1])
    return f"line {n} is {was!r}, the runs give {is_!r}"
