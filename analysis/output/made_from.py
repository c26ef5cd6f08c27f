"""`made_from.json`: what the files of a folder were made from and what they hold, for `python -m analysis check`.

The commands that add tables to a folder write a file of their own: `made_from_laboratory.json`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.load import Study
from analysis.runs.fingerprints import fingerprints
from analysis.tables.layout import TableLayout
from wbc_model.files import sha256_of

STEM = "made_from"

CellTexts = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Printed text by the table's number, the row's name and the column's heading."""


def name_of(command: str) -> str:
    """The name of the file of a command; of `python -m analysis` itself for an empty one."""
    return f"{STEM}_{command}.json" if command else f"{STEM}.json"


def save(
    study: Study,
    tables: Sequence[TableLayout],
    *,
    asked: Mapping[str, Any],
    out: Path,
    written: Iterable[str],
    command: str = "",
    options: Mapping[str, Any] | None = None,
) -> None:
    """Write `made_from.json` beside the files.

    Args:
        asked: the arguments of `load` that gave the study; `check` asks for the same again.
        written: names of the files in `out`, whose hashes are kept.
        command: which wrote them.
        options: of its own.
    """
    content = {
        "kind": study.kind,
        "arguments": dict(asked) | ({"storage": study.storage.absolute()} if study.storage else {}),
        "options": options or {},
        "trials": _trials(study),
        "cells": cell_texts(tables),
        "files": {name: sha256_of(out / name) for name in written},
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"
    (out / name_of(command)).write_text(text, encoding="utf-8", errors="backslashreplace")


def cell_texts(tables: Iterable[TableLayout]) -> CellTexts:
    """The texts of the cells of every table."""
    return {table.number: table.texts for table in tables}


def _trials(study: Study) -> dict[str, dict[str, Any]]:
    """By trial id, its fingerprints and the rows that it is in."""
    trials: dict[str, dict[str, Any]] = {}
    for filled in study.tables:
        for row in filled.rows:
            for run in row.runs:
                trial = trials.setdefault(run.trial.id, fingerprints(run) | {"rows": []})
                trial["rows"].append(f"Table {filled.table.number}, {filled.describe(row)}")
    return trials
