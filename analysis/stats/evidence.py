"""A table whose cells are compared with the best of their columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from analysis.stats.compare import Block, Comparison, Labels, blocks, compare, mark, rivals
from analysis.stats.model import Model
from analysis.stats.predictions import PredictionLookup, RowPredictions
from analysis.stats.remarks import remarks, signs
from analysis.tables.fill import Filled, Row
from search_spaces.table import Column
from wbc_model.datasets.dataset import Dataset

Line = dict[str, Any]
"""A line of a DataFrame, by column."""


@dataclass(frozen=True, eq=False)
class ComparedTable:
    """A table with its cells marked, and the models and comparisons that the marks come from."""

    filled: Filled
    blocks: Sequence[Block]
    """The rows that have predictions, by their test images."""
    comparisons: Sequence[Comparison]
    untested: Mapping[tuple[Labels, int], str]
    """By row and column of each cell that could not be tested, the reason."""
    elsewhere: Mapping[tuple[Labels, Dataset], Model]
    """Of each row on the test images of another dataset, for columns that name one."""
    missing: Mapping[Labels, str] = field(default_factory=dict)
    """Why each of the other rows has no predictions that could be tested."""

    def model_of(self, row: Row, column: Column) -> tuple[Model, int] | None:
        """The model that a cell's number is in and the index of its row there; None if predictions were not kept."""
        if column.on:
            alone = self.elsewhere.get((row.labels, column.on))
            return (alone, 0) if alone else None
        found = next((block for block in self.blocks if row.labels in block.labels), None)
        return (found.model, found.labels.index(row.labels)) if found else None


def gather(filled: Filled, calls: PredictionLookup) -> ComparedTable:
    """Compare every cell with the best of its column.

    Raises:
        InputError: predictions contradict the confusion matrix of their record.
    """
    found = {row.labels: calls.of(row) for row in filled.rows}
    of_rows = blocks(filled, {labels: one for labels, one in found.items() if isinstance(one, RowPredictions)})
    comparisons = compare(filled, of_rows)
    missing = {labels: one for labels, one in found.items() if isinstance(one, str)}
    marked = mark(filled, comparisons)
    untested = _untested(filled, of_rows, missing)
    notes = tuple(remarks(marked, of_rows, comparisons, untested))
    marked = replace(marked, test_notes=notes, sign_notes=tuple(signs(marked, comparisons)))
    return ComparedTable(marked, of_rows, comparisons, untested, _elsewhere(filled, calls), missing)


def _elsewhere(filled: Filled, calls: PredictionLookup) -> dict[tuple[Labels, Dataset], Model]:
    columns = [column for column in filled.table.columns if column.on]
    found = {}
    for row in filled.rows:
        for on in dict.fromkeys(column.on for column in columns if column.on):
            if isinstance(one := calls.of(row, on=on), RowPredictions):
                names = [key for key in dict.fromkeys(column.key for column in columns) if one.images.has(key)]
                found[row.labels, on] = Model(one.images, [one.called], names)
    return found


def _untested(filled: Filled, of_rows: Sequence[Block], missing: Mapping[Labels, str]) -> dict[tuple[Labels, int], str]:
    """By row and column of each cell that could not be tested, the reason."""
    found = {}
    for i in range(len(filled.table.columns)):
        for row, best in rivals(filled, i, of_rows):
            homes = [next((b for b in of_rows if one.labels in b.labels), None) for one in (row, best)]
            if row.labels in missing:
                found[row.labels, i] = missing[row.labels]
            elif best.labels in missing:
                found[row.labels, i] = f"the best row, {filled.describe(best)}, has {missing[best.labels]}"
            elif homes[0] is not homes[1]:
                found[row.labels, i] = f"other test images than the best row, {filled.describe(best)}"
    return found


def power_lines(evidence: ComparedTable) -> list[Line]:
    """A line per comparison: its standard errors over images and over seeds, and the difference it could have shown."""
    filled, lines = evidence.filled, []
    for one in evidence.comparisons:
        column = filled.table.columns[one.column]
        found = evidence.model_of(one.row, column)
        assert found is not None
        model = found[0]
        lines.append(
            {
                "table": filled.table.number,
                "dataset": one.row.config.dataset.name,
                "score": column.label,
                "row": filled.describe(one.row),
                "best row": filled.describe(one.best),
                "units": round(float(model.weight[model.names.index(column.key)])),
                "seeds": len(one.row.runs),
                "seeds of the best": len(one.best.runs),
                "SE over images": 100 * one.error.images**0.5,
                "SE over seeds": 100 * one.error.seeds**0.5,
                "detectable": 100 * one.detectable if np.isfinite(one.detectable) else np.nan,
            }
        )
    return lines
