"""A study as pandas DataFrames: one line per table row, cell, difference or run. The CSV files are made of them.

Scores, differences and the ends of 95 % intervals are in percent, or percentage points; what does not exist is NaN.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from math import isinf, nan
from typing import Any

import pandas as pd

from analysis.output.numbers import quotes_of
from analysis.runs.fingerprints import provenance_line
from analysis.stats.compare import Comparison
from analysis.stats.error import Error
from analysis.stats.evidence import ComparedTable, Line
from analysis.stats.intervals import Ends, intervals
from analysis.tables.fill import Filled, cells, percent
from analysis.tables.layout import lay_out
from search_spaces.table import Column
from wbc_model.config import TrialConfig
from wbc_model.plain_text import csv_cell

EQ_6 = Column("macro_f1_eq6", "AF1 by Eq. (6)")

FORMATS = {
    "n of the best": "{:.0f}",
    "p": "{:.4g}",
    "p corrected": "{:.4g}",
    "p of the networks": "{:.4g}",
    "hours": "{:.4f}",
}
"""Formats of numbers by column; in all other columns, those that are not integers have two decimals."""


def frame(lines: Sequence[Line], *, kind: str) -> pd.DataFrame:
    """Lines as a DataFrame, whose first column `kind` says whether the numbers are measured or a rehearsal's."""
    found = pd.DataFrame([{name: _whole(value) for name, value in line.items()} for line in lines])
    found.insert(0, "kind", kind)
    return found


def to_csv(found: pd.DataFrame) -> str:
    """The text of a CSV file, with numbers written as the tables print them, and text that is no formula."""
    columns = [_texts(column) for _, column in found.items()]  # by place: a table may have two of one name
    return pd.concat(columns, axis=1).to_csv(index=False, lineterminator="\n")


def _texts(column: pd.Series) -> pd.Series:
    column = column.rename(csv_cell(str(column.name)))
    if not pd.api.types.is_float_dtype(column):
        return column.map(lambda value: csv_cell(value) if isinstance(value, str) else value)
    return column.map(FORMATS.get(str(column.name), "{:.2f}").format, na_action="ignore")


def table_frame(filled: Filled) -> pd.DataFrame:
    """One line per row: kind (measured or rehearsal), overrides, config id, labels, seeds, mean and SD of each score.

    Beside AF1 stands what the paper's Eq. (6) would give for it, and last what the row's runs were made from.
    """
    stub = [heading or f"group {i}" for i, heading in enumerate(filled.table.stub, start=1)]
    columns = [*filled.table.columns, *([EQ_6] if any(c.key == "macro_f1" for c in filled.table.columns) else [])]
    scores = [name for column in columns for name in (column.label, f"{column.label} sd")]
    names = ["kind", "overrides", "config", *stub, "seeds", *scores, "made from"]
    kind = "rehearsal" if filled.rehearsal else "measured"
    overrides = " ".join(f"{key}={value}" for key, value in filled.overrides.items())
    lines = []
    for row in filled.rows:
        seeds = " ".join(map(str, row.seeds))
        numbers = [number_of(number) for cell in cells(columns, row.runs) for number in (cell.mean, cell.sd)]
        made_from = "; ".join(map(provenance_line, row.runs))
        lines.append([kind, overrides, row.config.id, *row.labels, seeds, *numbers, made_from])
    return pd.DataFrame([[_whole(value) for value in line] for line in lines], columns=names)


def _whole(value: Any) -> Any:
    """Text whose characters are all whole, as pandas wants it; what a file's undecodable name has is shown."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def cell_lines(compared: ComparedTable) -> list[Line]:
    """One line per cell: its number, its intervals, its difference from the best of its column, and its trials."""
    filled = compared.filled
    quotes = iter(quotes_of(lay_out(filled)))
    against = {(one.row.labels, one.column): one for one in compared.comparisons}
    lines = []
    for row in filled.rows:
        for i, (column, cell) in enumerate(zip(filled.table.columns, row.cells, strict=True)):
            line = {"table": filled.table.number, "row": filled.describe(row), "score": column.label}
            line |= {"n": len(row.runs), "mean": number_of(cell.mean), "sd": number_of(cell.sd)}
            found = intervals(compared, row, column)
            for name, ends in (("", found.both), ("over seeds", found.seeds), ("over images", found.images)):
                line |= _ends(name, ends)
            placed = compared.model_of(row, column)
            line |= {"images by": found.by, "seed SD assumed": bool(placed and placed[0].sd_assumed)}
            line |= {"best": cell.best, "tied with the best": cell.tied}
            line |= {"worse with one seed": cell.worse_network}
            line |= {"quote": next(quotes), "trials": " ".join(run.trial.id for run in row.runs)}
            one = against.get((row.labels, i))
            line |= {"not tested": compared.untested.get((row.labels, i), "")}
            lines.append(line | (_compared(filled, one) if one else {}))
    return lines


def _compared(filled: Filled, one: Comparison) -> Line:
    return {
        "best row": filled.describe(one.best),
        "n of the best": len(one.best.runs),
        **difference_line(one.value, one.error),
        **_around("corrected", one.value, one.corrected_reach),
        "p corrected": one.adjusted,
        "p of the networks": nan if one.as_networks is None else one.as_networks,
    }


def difference_line(value: float, error: Error) -> Line:
    """A difference with its interval and p, and the test that they come from."""
    test = "images + seeds" + ("" if isinf(error.df) else f", {error.df:.0f} df")
    ends = _around("difference", value, error.reach)
    return {"difference": 100 * value, **ends, "test": test, "p": error.p(value)}


def _around(name: str, value: float, reach: float) -> Line:
    return _ends(name, (max(value - reach, -1.0), min(value + reach, 1.0)))


def _ends(name: str, ends: Ends) -> Line:
    low, high = ends or (nan, nan)
    return {f"{name} low".strip(): 100 * low, f"{name} high".strip(): 100 * high}


def number_of(score: Decimal | float | None) -> float:
    """A number for a DataFrame; NaN if there is none."""
    return nan if score is None else float(score)


def delta_lines(compared: ComparedTable, proposed: TrialConfig) -> list[Line]:
    """One line per score of each row: its difference from the proposed model's row on the same dataset."""
    filled, lines = compared.filled, []
    ours = {
        row.config.dataset: row for row in filled.rows if row.config == replace(proposed, dataset=row.config.dataset)
    }
    for row in filled.rows:
        reference = ours.get(row.config.dataset, row)
        block = next((one for one in compared.blocks if {row.labels, reference.labels} <= set(one.labels)), None)
        if reference is row or block is None:
            continue
        i, j = block.labels.index(row.labels), block.labels.index(reference.labels)
        for column in filled.table.columns:
            if column.key in block.model.names and not column.on:
                line = {"table": filled.table.number, "row": filled.describe(row), "less": filled.describe(reference)}
                line |= {"score": column.label, "n": len(row.runs)}
                line |= {"seed SD assumed": block.model.sd_assumed}
                lines.append(line | difference_line(*block.model.difference(i, j, column.key)))
    return lines


def run_lines(tables: Iterable[Filled]) -> list[Line]:
    """One line per trial: its cost and its scores, for a plot of accuracy against GPU-hours."""
    runs = {run.trial.id: run for filled in tables for row in filled.rows for run in row.runs}
    return [
        {
            "trial": run.trial.id,
            "dataset": run.trial.config.dataset.name,
            "name": run.trial.name,
            "seed": run.trial.seed,
        }
        | {"device": run.provenance.get("device", ""), "hours": run.seconds / 3600}
        | {"OA": number_of(percent(run.test.accuracy)), "AF1": number_of(percent(run.test.scores()["macro_f1"]))}
        for run in runs.values()
    ]
