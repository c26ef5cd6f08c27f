"""Choose the study to print: the paper itself, or the paper with some knobs overridden in every config."""

import json
from collections.abc import Sequence
from typing import Any

from analysis.tables.command_line import arguments
from search_spaces.catalogue import catalogue
from search_spaces.own import own_tables
from search_spaces.table import Table, select
from study.plan import RunRecord
from study.storage import root_of
from wbc_model.datasets.dataset import Dataset, is_built_in
from wbc_model.errors import InputError

_OWN = {"D1", "D2", "D3"}
"""Tables of a user's own datasets."""


def choose(records: Sequence[RunRecord], wanted: dict[str, Any] | None, *, where: str) -> dict[str, Any]:
    """The overrides of the study to print: `wanted`, or if that is None those that all of these runs share.

    Raises:
        InputError: there are no runs, or they were made under several sets of overrides.
    """
    if not records:
        inside = root_of(where) / "rehearsal"
        raise InputError(
            f"no finished run in {where}; make some: study/run.py --tables 4, or in miniature: study/run.py --rehearse"
            + (f"; those of a rehearsal are there: --storage {inside}" if inside.is_dir() else "")
        )
    if wanted is not None:
        return wanted
    distinct = {json.dumps(r.trial.overrides, sort_keys=True): r.trial.overrides for r in records}
    if len(distinct) > 1:
        several = [distinct[key] for key in sorted(distinct, key=lambda key: (len(distinct[key]), key))]
        choices = "".join(f"\n  --set {arguments(overrides) or '  (the paper itself)'}" for overrides in several)
        raise InputError(f"{where} holds {len(several)} studies; choose one:{choices}")
    return next(iter(distinct.values()))


def tables_under(
    overrides: dict[str, Any],
    *,
    numbers: Sequence[str] = (),
    datasets: Sequence[str] = (),
    records: Sequence[RunRecord] = (),
) -> tuple[list[Table], dict[str, str]]:
    """The chosen tables with every config overridden, and by number why a table is left out: it varies what is set.

    Args:
        records: the runs, whose own datasets have tables too; where none are of the paper's tables, these alone.

    Raises:
        InputError: no such table or dataset, no row of those tables on those datasets, or no table can be: there is no
            such knob, or its value is out of range.
    """
    tables: list[Table] = []
    impossible: dict[str, str] = {}
    own = _own_datasets(records)
    offered = catalogue(numbers, own=own)
    if own and not numbers and any(not set(record.trial.tables) <= _OWN for record in records):
        offered = (*catalogue(()), *offered)
    if any(isinstance(record.trial.config.test_on, tuple) for record in records) and not numbers:
        offered = (*offered, *own_tables(own)[2:])
    for table in select(offered, numbers=numbers, datasets=datasets, overrides={}):
        try:
            tables += select([table], numbers=(), datasets=(), overrides=overrides)
        except InputError as error:
            impossible[table.number] = str(error).removeprefix(f"Table {table.number} ")
    if not tables:
        raise InputError(f"--set {arguments(overrides)}: {next(iter(impossible.values()))}")
    return tables, impossible


def _own_datasets(records: Sequence[RunRecord]) -> tuple[Dataset, ...]:
    """The datasets that runs of tables D1 to D3 are on, and every other that is not the paper's, in order of name."""
    found = {
        record.trial.config.dataset
        for record in records
        if not is_built_in(record.trial.config.dataset) or _OWN & set(record.trial.tables)
    }
    return tuple(sorted(found, key=lambda dataset: (is_built_in(dataset), dataset.name, dataset.fingerprint)))
