"""Which study is printed: the paper itself, or the paper with some knobs set for all of it."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from upath import UPath

from analysis.tables import Filled
from search_spaces.extensions import catalogue
from search_spaces.rehearsal import REHEARSAL
from search_spaces.table import Table, select
from study.plan import RunRecord
from study.storage import root_of
from wbc_model.config import TrialConfig


def choose(records: Sequence[RunRecord], wanted: dict[str, Any] | None, *, where: str) -> dict[str, Any]:
    """The overrides that are wanted; None: those under which all of these runs were made.

    Raises:
        LookupError: there are no runs, or they were made under several sets of overrides.
    """
    if not records:
        inside = root_of(where) / "rehearsal"
        raise LookupError(
            f"no finished run in {where}; make some: study/run.py --tables 4, or in miniature: study/run.py --rehearse"
            + (f"; those of a rehearsal are there: --runs {inside}" if inside.is_dir() else "")
        )
    if wanted is not None:
        return wanted
    distinct = {json.dumps(r.trial.overrides, sort_keys=True): r.trial.overrides for r in records}
    if len(distinct) > 1:
        several = [distinct[key] for key in sorted(distinct, key=lambda key: (len(distinct[key]), key))]
        choices = "".join(f"\n  --set {arguments(overrides) or '  (the paper itself)'}" for overrides in several)
        raise LookupError(f"{where} holds {len(several)} studies; choose one:{choices}")
    return next(iter(distinct.values()))


def tables_under(
    overrides: dict[str, Any], *, numbers: Sequence[str] = (), datasets: Sequence[str] = ()
) -> tuple[list[Table], dict[str, str]]:
    """The chosen tables with every config overridden, and why each other one cannot be: it varies what is set.

    Raises:
        LookupError: no such table or dataset, or no row of those tables on those datasets.
        ValueError: no table can be: there is no such knob, or its value is out of range.
    """
    tables: list[Table] = []
    impossible: dict[str, str] = {}
    for table in select(catalogue(numbers), numbers=numbers, datasets=datasets, overrides={}):
        try:
            tables += select([table], numbers=(), datasets=(), overrides=overrides)
        except ValueError as error:
            impossible[table.number] = str(error).removeprefix(f"Table {table.number} ")
    if not tables:
        raise ValueError(f"--set {arguments(overrides)}: {next(iter(impossible.values()))}")
    return tables, impossible


def command(filled: Filled, *, storage: UPath | None = None) -> str:
    """What runs a table's missing trials, into the storage its runs were read from (None: wherever `run.py` does)."""
    overrides, words, usual = filled.overrides, ["study/run.py"], Path("runs")
    if all(overrides.get(knob) == REHEARSAL[knob] for knob in ("trunks", "images")):
        paper = TrialConfig().to_json()
        knobs = {knob: paper[knob] for knob in REHEARSAL} | overrides
        overrides = {knob: value for knob, value in knobs.items() if value != REHEARSAL.get(knob)}
        words.append("--rehearse")
        usual /= "rehearsal"
    words.append(f"--tables {filled.table.number}")
    (whole,) = (table for table in catalogue([filled.table.number]) if table.number == filled.table.number)
    datasets = dict.fromkeys(row.config.dataset for row in filled.rows)
    if len(datasets) < len({config.dataset for config in whole.rows.values()}):
        words.append(f"--datasets {' '.join(datasets)}")
    if overrides:
        words.append(f"--set {arguments(overrides)}")
    if filled.seeds != (0,):
        words.append(f"--seeds {' '.join(map(str, filled.seeds))}")
    if storage not in (None, usual):
        words.append(f"--storage {shlex.quote(str(storage))}")
    return " ".join(words)


def arguments(overrides: dict[str, Any]) -> str:
    """Overrides as they are typed after `--set`."""
    return " ".join(shlex.quote(f"{key}={_typed(value)}") for key, value in overrides.items())


def _typed(value: Any) -> str:
    """As `parse_overrides` reads it back: a string goes bare, unless it would be read as something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except json.JSONDecodeError:
        return value
    return json.dumps(value)
