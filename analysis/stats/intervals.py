"""The 95 % intervals of a cell."""

from dataclasses import dataclass
from statistics import fmean

from analysis.stats.error import Error
from analysis.stats.evidence import ComparedTable
from analysis.tables.fill import Row, values
from search_spaces.table import Column
from wbc_model.scoring.wilson import wilson

Ends = tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """The 95 % intervals of a score in [0, 1]; None where the runs do not tell."""

    both: Ends = None
    """Over test images and seeds; with one seed, with the variance of other rows' seeds, or an assumed one."""
    seeds: Ends = None
    """Over the seeds alone, on these test images; None where their scores do not differ, or are all 0 or all 1."""
    images: Ends = None
    """Over test images alone, of these trained networks."""
    by: str = ""
    """What counts as a test image."""


def intervals(compared: ComparedTable, row: Row, column: Column) -> Intervals:
    """The intervals of a cell."""
    found = compared.model_of(row, column)
    scores = values(column, row.runs)
    if not scores:
        return Intervals()
    if found is None:
        counted = _share(row, column) if len(scores) == 1 and not row.config.dataset.of_copies else None
        return Intervals(images=wilson(*counted), by="images") if counted else Intervals()
    model, i = found
    error, share, weight = model.error(i, column.key), fmean(scores), model.images.weight(column.key)
    return Intervals(
        both=error.interval(share, weight=weight),
        seeds=Error(images=0.0, seeds=error.seeds, df=error.df).interval(share, weight=weight)
        if len(scores) > 1 and error.seeds and 0 < share < 1
        else None,
        images=model.error_as_networks(i, column.key).interval(share, weight=weight),
        by="photographs" if model.images.grouped else "images",
    )


def _share(row: Row, column: Column) -> tuple[int, int] | None:
    """Hits and images of a score that is a share of images, for a row of one run; None for other scores."""
    key, matrix = column.key, row.runs[0].tests[(column.on or row.config.dataset).name]
    if key == "accuracy":
        return matrix.right, matrix.images
    if not key.startswith("recall/"):
        return None
    i = matrix.classes.index(key.removeprefix("recall/"))
    return matrix.counts[i][i], sum(matrix.counts[i])
