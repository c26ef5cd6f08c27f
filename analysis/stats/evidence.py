"""A table with its cells tested against the best of their columns, and what the reader is told of the tests."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from analysis.stats.compare import ALPHA, Called, Calls, Comparison, Labels, compare, mark
from analysis.stats.power import detectable, smallest_significant
from analysis.tables.fill import NOT_APART, Filled, Row
from search_spaces.table import Column
from wbc_model.datasets.dataset import Dataset

CsvRow = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Evidence:
    """A table with its marks, and what they come from."""

    filled: Filled
    called: Mapping[Labels, Called]
    """What the rows called the test images; rows without predictions are not in it."""
    comparisons: Sequence[Comparison]
    elsewhere: Mapping[tuple[Labels, Dataset], Called]
    """The same of a named dataset's test images, where a column is over them."""

    def behind(self, row: Row, column: Column) -> Called | None:
        """What a cell's number was counted from."""
        return self.elsewhere.get((row.labels, column.on)) if column.on else self.called.get(row.labels)


def gather(filled: Filled, calls: Calls) -> Evidence:
    """Test every cell against the best of its column.

    Raises:
        InputError: predictions that are not those a record counts.
    """
    found = {row.labels: calls.of(row) for row in filled.rows}
    called = {labels: one for labels, one in found.items() if one}
    others = {column.on for column in filled.table.columns if column.on}
    elsewhere = {(row.labels, on): one for row in filled.rows for on in others if (one := calls.of(row, on=on))}
    comparisons = compare(filled, called)
    marked = mark(filled, comparisons)
    marked = replace(marked, tested=tuple(_told(marked, called, comparisons)))
    return Evidence(marked, called, comparisons, elsewhere)


def _told(filled: Filled, called: Mapping[Labels, Called], comparisons: Sequence[Comparison]) -> Iterable[str]:
    """Notes on the marks: the tests, what they cannot tell, and how small a difference they would have found."""
    if any(cell.not_apart for row in filled.rows for cell in row.cells):
        yield f"{NOT_APART} not shown to differ from the best of its column."
    if comparisons:
        tests = sorted({one.difference.test for one in comparisons})
        yield (
            f"Tests against the best, paired by test image: {', '.join(tests)}; "
            f"Holm's correction over the {len(comparisons)} of this table, level {ALPHA:g}."
        )
    if any(len(one.seeds) == 1 for one in comparisons):
        yield "With one seed the tests compare these trained networks, not methods: another seed may rank them anew."
    yield from _copies(called)
    if lacking := [filled.describe(row) for row in filled.rows if row.runs and row.labels not in called]:
        yield f"Not tested, for want of predictions of the same test images: {', '.join(lacking)}."
    if found := "; ".join(_power(filled, called, comparisons)):
        yield f"A true difference below this is missed more than one time in five (points, before correction): {found}."


def _copies(called: Mapping[Labels, Called]) -> Iterable[str]:
    """A note on each dataset whose test images are copies of photographs."""
    for dataset, one in {one.config.dataset: one for one in called.values()}.items():
        if not dataset.of_copies or one.config.rehearsal:
            continue
        images = one.images
        told = (
            f"its {len(images.ids)} test images are copies of {images.n_units} photographed cells, the units of its "
            "tests and intervals."
            if images.grouped
            else "its test images are copies of a few photographs but are tested as if they were independent: "
            "differences are overstated. --photographs tells which are which."
        )
        yield f"{dataset.title}: {told}"


def _power(filled: Filled, called: Mapping[Labels, Called], comparisons: Sequence[Comparison]) -> Iterable[str]:
    told: dict[Dataset, list[str]] = defaultdict(list)
    for (dataset, _), group in _by_score(filled, called, comparisons).items():
        told[dataset].append(f"{group[0]['score']} {median(line['detectable'] for line in group):.2f}")
    for dataset, scores in told.items():
        yield f"{dataset.title} {', '.join(scores)}"


def _by_score(
    filled: Filled, called: Mapping[Labels, Called], comparisons: Sequence[Comparison]
) -> dict[tuple[Dataset, str], list[CsvRow]]:
    """Comparisons of scores that are shares of images, with what they could have shown."""
    groups: dict[tuple[Dataset, str], list[CsvRow]] = defaultdict(list)
    for one in comparisons:
        column = filled.table.columns[one.column]
        if column.key == "accuracy" or column.key.startswith("recall/"):
            a, b = called[one.row.labels], called[one.best.labels]
            groups[a.config.dataset, column.key].append({"score": column.label} | _disagreement(a, b, one, column.key))
    return groups


def _disagreement(a: Called, b: Called, one: Comparison, key: str) -> CsvRow:
    """How often one of two rows is right and the other wrong, and what difference could then be shown, in percent."""
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
        "smallest significant": "" if smallest is None else round(100 * smallest, 2),
    }


def power_lines(evidence: Evidence) -> list[CsvRow]:
    """One line a comparison of shares of images: what difference could have been shown."""
    filled = evidence.filled
    return [
        {"table": filled.table.number, "dataset": dataset} | line
        for (dataset, _), lines in _by_score(filled, evidence.called, evidence.comparisons).items()
        for line in lines
    ]
