"""`made_from.json`: what the files of a folder were made from and what they hold, for `python -m analysis check`."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from analysis.load import Study
from analysis.output.files import layouts
from analysis.runs.fingerprints import fingerprints
from wbc_model.files import sha256_of

NAME = "made_from.json"

CellTexts = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Printed text by the table's number, the row's name and the column's heading."""


def save(study: Study, *, asked: Mapping[str, Any], out: Path, written: Iterable[str]) -> None:
    """Write `made_from.json` beside the files.

    Args:
        asked: the arguments of `load` that gave the study; `check` asks for the same again.
        written: names of the files in `out`, whose hashes are kept.
    """
    content = {
        "kind": study.kind,
        "arguments": dict(asked) | ({"storage": study.storage.absolute()} if study.storage else {}),
        "trials": _trials(study),
        "cells": cell_texts(study),
        "files": {name: sha256_of(out / name) for name in written},
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"
    (out / NAME).write_text(text, encoding="utf-8", errors="backslashreplace")


def cell_texts(study: Study) -> CellTexts:
    """The texts of the cells of every table."""
    return {table.number: table.texts for table in layouts(study)}


def _trials(study: Study) -> dict[str, dict[str, Any]]:
    """By trial id, its fingerprints and the rows that it is in."""
    trials: dict[str, dict[str, Any]] = {}
    for filled in study.tables:
        for row in filled.rows:
            for run in row.runs:
                trial = trials.setdefault(run.trial.id, fingerprints(run) | {"rows": []})
                trial["rows"].append(f"Table {filled.table.number}, {filled.describe(row)}")
    return trials
