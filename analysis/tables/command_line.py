"""The command that runs the missing trials of a table, as it is typed."""

from typing import Any

from upath import UPath

from analysis.tables.fill import Filled
from search_spaces.catalogue import catalogue
from study.arguments import command_line, spelt
from wbc_model.datasets.dataset import is_built_in


def command(filled: Filled, *, storage: UPath | None = None) -> str:
    """The command that runs a table's missing trials and writes to `storage` (None: the default of `run.py`)."""
    datasets = tuple(dict.fromkeys(row.config.dataset for row in filled.rows))
    own, part = [], []
    if not all(map(is_built_in, datasets)):
        own = [str(one) if is_built_in(one) else f"{one}=FOLDER" for one in datasets]
    else:
        offered = catalogue([filled.table.number], own=datasets)
        (whole,) = (table for table in offered if table.number == filled.table.number)
        if len(datasets) < len({config.dataset for config in whole.rows.values()}):
            part = list(map(str, datasets))
    return command_line(
        tables=[filled.table.number],
        own=own,
        datasets=part,
        overrides=filled.overrides,
        seeds=filled.seeds,
        storage=None if storage is None else str(storage),
    )


def arguments(overrides: dict[str, Any]) -> str:
    """Overrides as they are typed after `--set`."""
    return " ".join(spelt(overrides))
