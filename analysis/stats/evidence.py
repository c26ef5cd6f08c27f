"""A table whose cells are compared with the best of their columns, and the notes on the tests."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from statistics import median
from typing import Any

import numpy as np

from analysis.stats.compare import ALPHA, Comparison, Labels, PredictionLookup, RowPredictions, compare, mark
from analysis.stats.power import detectable, smallest_significant
from analysis.tables.fill import TIED, Filled, Row
from search_spaces.table import Column
from wbc_model.datasets.dataset import Dataset

Line = dict[str, Any]
"""A line of a DataFrame, by column."""


@dataclass(frozen=True, eq=False)
class ComparedTable:
    """A table with its cells marked, and the predictions and comparisons that the marks come from."""

    filled: Filled
    called: Mapping[Labels, RowPredictions]
    """By labels, the predictions of each row that has some."""
    comparisons: Sequence[Comparison]
    cross_predictions: Mapping[tuple[Labels, Dataset], RowPredictions]
    """The same on the test images of another dataset, for columns that name one."""

    def predictions_of(self, row: Row, column: Column) -> RowPredictions | None:
        """The predictions that a cell's number was counted from; None if they were not kept."""
        return self.cross_predictions.get((row.labels, column.on)) if column.on else self.called.get(row.labels)


def gather(filled: Filled, calls: PredictionLookup) -> ComparedTable:
    """Compare every cell with the best of its column.

    Raises:
        InputError: predictions contradict the confusion matrix of their record.
    """
    found = {row.labels: calls.of(row) for row in filled.rows}
    called = {labels: one for labels, one in found.items() if one}
    others = {column.on for column in filled.table.columns if column.on}
    cross_predictions = {(row.labels, on): one for row in filled.rows for on in others if (one := calls.of(row, on=on))}
    comparisons = compare(filled, called)
    marked = mark(filled, comparisons)
    marked = replace(marked, test_notes=tuple(_test_notes(marked, called, comparisons)))
    return ComparedTable(marked, called, comparisons, cross_predictions)


def _test_notes(
    filled: Filled, called: Mapping[Labels, RowPredictions], comparisons: Sequence[Comparison]
) -> Iterable[str]:
    """Notes on the marks: the tests, their limits, and the minimum detectable differences."""
    if any(cell.tied for row in filled.rows for cell in row.cells):
        yield f"{TIED} tied with the best of its column: no significant difference shown."
    if comparisons:
        tests = sorted({one.difference.test for one in comparisons})
        yield (
            f"Tests against the best of the column, paired by test image: {', '.join(tests)}; "
            f"Holm's correction over the {len(comparisons)} tests of this table, level {ALPHA:g}."
        )
    if any(len(one.seeds) == 1 for one in comparisons):
        yield "With one seed the tests compare trained networks, not methods: another seed may rank them differently."
    yield from _copies(called)
    if untested := [filled.describe(row) for row in filled.rows if row.runs and row.labels not in called]:
        yield f"Not tested, because predictions of the same test images are missing: {', '.join(untested)}."
    if found := "; ".join(_power(filled, called, comparisons)):
        yield f"Minimum detectable difference at 80 % power (percentage points, uncorrected): {found}."


def _copies(called: Mapping[Labels, RowPredictions]) -> Iterable[str]:
    """A note on each dataset whose test images are copies of photographs."""
    for dataset, one in {one.config.dataset: one for one in called.values()}.items():
        if not dataset.of_copies or one.config.rehearsal:
            continue
        images = one.images
        note = (
            f"its {len(images.ids)} test images are copies of {images.n_units} photographed cells, which are the "
            "units of its tests and intervals."
            if images.grouped
            else "its test images are copies of a few photographs but are tested as if they were independent, "
            "which overstates differences. --photographs says which image is a copy of which photograph."
        )
        yield f"{dataset.title}: {note}"


def _power(filled: Filled, called: Mapping[Labels, RowPredictions], comparisons: Sequence[Comparison]) -> Iterable[str]:
    by_dataset: dict[Dataset, list[str]] = defaultdict(list)
    for (dataset, _), group in _by_score(filled, called, comparisons).items():
        by_dataset[dataset].append(f"{group[0]['score']} {median(line['detectable'] for line in group):.2f}")
    for dataset, scores in by_dataset.items():
        yield f"{dataset.title} {', '.join(scores)}"


def _by_score(
    filled: Filled, called: Mapping[Labels, RowPredictions], comparisons: Sequence[Comparison]
) -> dict[tuple[Dataset, str], list[Line]]:
    """By dataset and score, the power of each comparison of a score that is a share of images."""
    groups: dict[tuple[Dataset, str], list[Line]] = defaultdict(list)
    for one in comparisons:
        column = filled.table.columns[one.column]
        if column.key == "accuracy" or column.key.startswith("recall/"):
            a, b = called[one.row.labels], called[one.best.labels]
            groups[a.config.dataset, column.key].append({"score": column.label} | _disagreement(a, b, one, column.key))
    return groups


def _disagreement(a: RowPredictions, b: RowPredictions, one: Comparison, key: str) -> Line:
    """On how many images exactly one of two rows is right, and the differences that could be shown, in percent."""
    images = a.images
    part = images.truth == images.cells.index(key.split("/")[1]) if "/" in key else np.ones(len(images.truth), bool)
    units = len(set(images.units[part]))
    seed = one.seeds[0]
    split = (a.by_seed[seed] == images.truth) != (b.by_seed[seed] == images.truth)
    share = float(split[part].mean())
    smallest = smallest_significant(units, disagreements=round(share * units))
    return {
        "test images": int(part.sum()),
        "independent": units,
        "disagreement": round(100 * share, 2),
        "detectable": round(100 * detectable(units, disagreement=share), 2),
        "smallest significant": nan if smallest is None else round(100 * smallest, 2),
    }


def power_lines(evidence: ComparedTable) -> list[Line]:
    """A line per comparison of a score that is a share of images: the differences that it could have shown."""
    filled = evidence.filled
    return [
        {"table": filled.table.number, "dataset": dataset.name} | line
        for (dataset, _), lines in _by_score(filled, evidence.called, evidence.comparisons).items()
        for line in lines
    ]
