"""Compare each cell of a table with the best of its column, by paired tests on the test images of both rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from statistics import fmean

import numpy as np
from statsmodels.stats.multitest import multipletests

from analysis.runs.predictions import PredictionsOf, of_record
from analysis.stats.paired import LabelledImages, interval, mcnemar, over_seeds, randomised, resampled
from analysis.tables.fill import Filled, Row, Score
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import Dataset
from wbc_model.scoring.scores import Scores, scores

ALPHA = 0.05
EXACT, EXCHANGE, SEEDS = "exact McNemar", "randomisation", "paired t over seeds"

Labels = tuple[str, ...]
Photographs = Mapping[str, str]
"""By image id, the photographed cell that the image is a copy of (BCCD)."""


@dataclass(frozen=True, eq=False)
class RowPredictions:
    """The classes that a row's trials predicted for the test images."""

    config: TrialConfig
    images: LabelledImages
    by_seed: Mapping[int, np.ndarray]
    """Predicted class index of each image (N,)."""

    def scores(self, seed: int) -> dict[str, float]:
        """Every score of the trial with this seed, in [0, 1]."""
        counts = self.images.counts(self.by_seed[seed]).sum(0)
        return {name: float(value) for name, value in scores(counts, self.images.cells).items()}

    @cached_property
    def _resampled(self) -> dict[int, Scores]:
        return {seed: resampled(self.images, called) for seed, called in self.by_seed.items()}

    def resampled(self, seeds: Sequence[int]) -> dict[str, np.ndarray]:
        """By score, its mean over the seeds in each bootstrap resample of the images (RESAMPLES,)."""
        each = [self._resampled[seed] for seed in seeds]
        return {name: np.mean([values[name] for values in each], axis=0) for name in each[0]}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The difference of a score between two rows, over the seeds that both have, as a share in [-1, 1]."""

    value: float
    low: float
    high: float
    """Ends of the 95 % interval, by a paired bootstrap over the images."""
    p: float
    test: str
    """The test that gave p; with several seeds, the test over images or the one over seeds, whichever p is larger."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A cell compared with the best of its column."""

    row: Row
    best: Row
    column: int
    seeds: tuple[int, ...]
    difference: Difference
    adjusted: float
    """p after Holm's correction over all comparisons of the table."""


class PredictionLookup:
    """The predictions of rows; a row that is in several tables is read once."""

    def __init__(self, predictions: PredictionsOf, photographs: Photographs) -> None:
        self._predictions, self._photographs = predictions, photographs
        self._known: dict[tuple[Dataset | None, tuple[str, ...]], RowPredictions | None] = {}

    def of(self, row: Row, *, on: Dataset | None = None) -> RowPredictions | None:
        """A row's predictions; None if it has no run, or if a run lacks predictions of the same images as the others.

        Args:
            on: the dataset whose test images are meant; None: the row's own.

        Raises:
            InputError: predictions contradict the confusion matrix of their record.
        """
        key = on, tuple(run.trial.id for run in row.runs)
        if key not in self._known:
            self._known[key] = self._read(row, on)
        return self._known[key]

    def _read(self, row: Row, on: Dataset | None) -> RowPredictions | None:
        found = [of_record(run, self._predictions, on=on) for run in row.runs]
        first = next(iter(found), None)
        if first is None or not all(one and np.array_equal(one.ids, first.ids) for one in found):
            return None
        names = list(map(str, first.ids))
        units = np.unique([self._photographs.get(name, name) for name in names], return_inverse=True)[1]
        images = LabelledImages(first.ids, first.truth, row.runs[0].test.classes, units)
        return RowPredictions(
            row.config, images, {s: one.called for s, one in zip(row.seeds, found, strict=True) if one}
        )


@cache
def differences(a: RowPredictions, b: RowPredictions) -> tuple[tuple[int, ...], dict[str, Difference]]:
    """The seeds that both rows have, and by score, `a` minus `b`; both empty if the rows cannot be paired."""
    seeds = tuple(sorted(set(a.by_seed) & set(b.by_seed)))
    if not seeds or not np.array_equal(a.images.ids, b.images.ids):
        return (), {}
    tests = _tests(a, b, seeds)
    each_a, each_b = ([called.scores(seed) for seed in seeds] for called in (a, b))
    spread_a, spread_b = a.resampled(seeds), b.resampled(seeds)
    found = {}
    for name, (p, test) in tests.items():
        low, high = interval(spread_a[name] - spread_b[name])
        value = fmean(one[name] for one in each_a) - fmean(one[name] for one in each_b)
        found[name] = Difference(value=value, low=low, high=high, p=p, test=test)
    return seeds, found


def _tests(a: RowPredictions, b: RowPredictions, seeds: Sequence[int]) -> dict[str, tuple[float, str]]:
    """By score, p and its test. With several seeds p is the larger of that over images and that over seeds."""
    calls_a, calls_b = ([called.by_seed[seed] for seed in seeds] for called in (a, b))
    p = randomised(a.images, calls_a, calls_b, seed=int(a.config.id, 16) ^ int(b.config.id, 16))
    found = {name: (value, EXCHANGE) for name, value in p.items()}
    if len(seeds) == 1:
        exact = {} if a.images.grouped else mcnemar(a.images, calls_a[0], calls_b[0])
        return found | {name: (value, EXACT) for name, value in exact.items()}
    each_a, each_b = ([called.scores(seed) for seed in seeds] for called in (a, b))
    t = over_seeds(*({name: [one[name] for one in each] for name in found} for each in (each_a, each_b)))
    return {name: max(found[name], (t[name], SEEDS)) for name in found}


def compare(filled: Filled, called: Mapping[Labels, RowPredictions]) -> list[Comparison]:
    """Compare each cell with the best of its column and group, if both rows have predictions of the same images."""
    found = []
    for i, column in enumerate(filled.table.columns):
        for row, best in _rivals(filled, i):
            if not {row.labels, best.labels} <= set(called):
                continue
            seeds, each = differences(called[row.labels], called[best.labels])
            if d := each.get(column.key):
                found.append(Comparison(row=row, best=best, column=i, seeds=seeds, difference=d, adjusted=1.0))
    if not found:
        return []
    adjusted = multipletests([one.difference.p for one in found], method="holm")[1]
    return [replace(one, adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]


def _rivals(filled: Filled, column: int) -> list[tuple[Row, Row]]:
    """Each row whose number is not the best of its group, paired with the first row whose number is."""
    best: dict[Labels, Row] = {}
    for row in filled.rows:
        if row.cells[column].best:
            best.setdefault(row.labels[: filled.table.best_within], row)
    others = [row for row in filled.rows if row.cells[column].mean is not None and not row.cells[column].best]
    return [(row, best[group]) for row in others if (group := row.labels[: filled.table.best_within]) in best]


def mark(filled: Filled, comparisons: Sequence[Comparison]) -> Filled:
    """Mark every cell that is not shown to be worse than the best as tied; so are cells that could not be tested."""
    worse = [one for one in comparisons if one.adjusted < ALPHA and one.difference.value < 0]
    shown = {(one.row.labels, one.column) for one in worse}
    marked = {(row.labels, i) for i in range(len(filled.table.columns)) for row, _ in _rivals(filled, i)} - shown

    def cells(row: Row) -> tuple[Score, ...]:
        return tuple(replace(cell, tied=(row.labels, i) in marked) for i, cell in enumerate(row.cells))

    return replace(filled, rows=tuple(replace(row, cells=cells(row)) for row in filled.rows))
