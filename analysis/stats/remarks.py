"""The notes below a table that say what its marks mean and what they rest on."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import numpy as np

from analysis.stats.chance import ALPHA
from analysis.stats.compare import Block, Comparison, Labels, rivals
from analysis.tables.fill import TIED, WORSE_NETWORK, Filled
from wbc_model.datasets.dataset import Dataset


def signs(filled: Filled, comparisons: Sequence[Comparison]) -> Iterator[str]:
    """What the marks mean and how differences are tested, in words that hold for every table."""
    if any(cell.tied for row in filled.rows for cell in row.cells):
        yield f"{TIED} tied with the best of its column: not shown to be worse."
    if any(one.worse_network for one in comparisons):
        yield (
            f"{WORSE_NETWORK} one seed, of this row or of the best: these trained networks differ by more than the "
            "test images explain, but other seeds may rank them differently."
        )
    if any(one.as_networks is not None for one in comparisons):
        yield "One seed shows no method to be worse."
    if any(one.worse for one in comparisons):
        yield "A number without a mark is worse than the bold one of its dataset and column."
    if comparisons:
        yield (
            "Differences are tested over images (paired) and seeds together. p is corrected for all pairs of rows and "
            f"all columns of a table (max-t), level {ALPHA:g}."
        )


def remarks(
    filled: Filled,
    blocks: Sequence[Block],
    comparisons: Sequence[Comparison],
    untested: Mapping[tuple[Labels, int], str],
) -> Iterator[str]:
    """What the table's tests rest on, rows that could not be tested, and minimum detectable differences."""
    if comparisons:
        yield f"Seed SD in points: {'; '.join(_scatter(filled, blocks))}."
    if marked := [one.adjusted for one in comparisons if one.worse_network]:
        low, high = (f"{100 * end:.0f}" if end > 0.1 else f"{100 * end:.2g}" for end in (min(marked), max(marked)))
        often = f"{low} %" if low == high else f"{low} to {high} %"
        yield f"With this seed SD, equally good methods differ as much as at {WORSE_NETWORK} in {often} of such tables."
    yield from _copies(filled, blocks)
    if untested:
        yield f"Not tested: {'; '.join(_reasons(filled, untested))}."
    if found := "; ".join(_detectable(filled, comparisons)):
        yield f"Minimum detectable difference at 80 % power (percentage points): {found}."


def _reasons(filled: Filled, untested: Mapping[tuple[Labels, int], str]) -> Iterator[str]:
    """Each row that has cells that could not be tested, with the columns of each reason if it is not that of all."""
    behind = [{row.labels for row, _ in rivals(filled, i)} for i in range(len(filled.table.columns))]
    for row in filled.rows:
        columns: dict[str, list[str]] = defaultdict(list)
        for (labels, i), why in untested.items():
            if labels == row.labels:
                columns[why].append(filled.table.columns[i].label)
        if columns:
            every = sum(row.labels in rows for rows in behind)
            each = [why if len(some) == every else f"{', '.join(some)}: {why}" for why, some in columns.items()]
            yield f"{filled.describe(row)} ({'; '.join(each)})"


def _scatter(filled: Filled, blocks: Sequence[Block]) -> Iterator[str]:
    """The standard deviation over seeds of each score, by dataset."""
    labels = {column.key: column.label for column in filled.table.columns}
    for block in blocks:
        where, sds = _dataset(filled, block).title, 100 * np.sqrt(np.diag(block.model.scatter))
        if sum(_dataset(filled, other).title == where for other in blocks) > 1:
            where += f" ({', '.join(filled.describe(row) for row in filled.rows if row.labels in block.labels)})"
        each = ", ".join(f"{labels[name]} {sd:.2f}" for name, sd in zip(block.model.names, sds, strict=True))
        assumed, df = block.model.sd_assumed, block.model.df
        source = "assumed: no row has two seeds" if assumed else f"pooled over its rows, {df} df"
        yield f"{where} {each} ({source})"


def _dataset(filled: Filled, block: Block) -> Dataset:
    return filled.table.rows[block.labels[0]].dataset


def _copies(filled: Filled, blocks: Sequence[Block]) -> Iterator[str]:
    """A note on each dataset whose test images are copies of photographs."""
    for dataset, block in {_dataset(filled, block): block for block in blocks}.items():
        if not dataset.of_copies or filled.table.rows[block.labels[0]].rehearsal:
            continue
        images = block.model.images
        note = (
            f"its {len(images.ids)} test images are copies of {images.n_units} photographed cells, which are the "
            "units of its tests and intervals."
            if images.grouped
            else "its test images are copies of a few photographs but are tested as if they were independent, "
            "which overstates differences. --photographs says which image is a copy of which photograph."
        )
        yield f"{dataset.title}: {note}"


def _detectable(filled: Filled, comparisons: Sequence[Comparison]) -> Iterator[str]:
    """By dataset, the median of each score's minimum detectable differences, and which scores have none and why."""
    if all(one.as_networks is not None for one in comparisons):
        return
    for dataset in dict.fromkeys(row.config.dataset for row in filled.rows):
        rows = [row for row in filled.rows if row.config.dataset == dataset]
        labels = {row.labels for row in rows}
        scores: dict[str, list[str]] = {"found": [], "none": [], "equal": []}
        for i, column in enumerate(filled.table.columns):
            every = [one.detectable for one in comparisons if one.column == i and one.row.labels in labels]
            if finite := [100 * each for each in every if np.isfinite(each)]:
                scores["found"].append(f"{column.label} {median(finite):.2f}")
            elif every:
                scores["none"].append(column.label)
            elif all(row.cells[i].best for row in rows):
                scores["equal"].append(column.label)
        lacking = {"none for": scores["none"], "all rows equal in": scores["equal"]}
        why = "; ".join(f"{words} {', '.join(some)}" for words, some in lacking.items() if some)
        if any(scores.values()):
            yield " ".join([dataset.title, *filter(None, [", ".join(scores["found"]), why and f"({why})"])])
