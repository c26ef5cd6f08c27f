"""Which cells of a table can be told from the best of their column? Paired tests on the images that both rows saw."""

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
from wbc_model.scores import Scores, scores

ALPHA = 0.05
EXACT, EXCHANGE, SEEDS = "exact McNemar", "randomisation", "paired t over seeds"

Labels = tuple[str, ...]
Photographs = Mapping[str, str]
"""By image id, what it is a copy of (BCCD)."""


@dataclass(frozen=True, eq=False)
class Called:
    """What a row's trials called the test images."""

    config: TrialConfig
    images: LabelledImages
    by_seed: Mapping[int, np.ndarray]
    """The class that each image was called (N,)."""

    def scores(self, seed: int) -> dict[str, float]:
        """Every score of one seed's trial, in [0, 1]."""
        counts = self.images.counts(self.by_seed[seed]).sum(0)
        return {name: float(value) for name, value in scores(counts, self.images.cells).items()}

    @cached_property
    def _resampled(self) -> dict[int, Scores]:
        return {seed: resampled(self.images, called) for seed, called in self.by_seed.items()}

    def resampled(self, seeds: Sequence[int]) -> dict[str, np.ndarray]:
        """The mean over seeds of each score in every resample of the images."""
        each = [self._resampled[seed] for seed in seeds]
        return {name: np.mean([values[name] for values in each], axis=0) for name in each[0]}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Of a score between two rows, over the seeds that both have."""

    value: float
    low: float
    high: float
    """Ends of the 95 % interval: paired bootstrap over the images."""
    p: float
    test: str
    """What gave p: the larger one where images and seeds are both tested."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A cell with the best of its column."""

    row: Row
    best: Row
    column: int
    seeds: tuple[int, ...]
    difference: Difference
    adjusted: float
    """p by Holm's correction over all comparisons of the table."""


class Calls:
    """What rows called their test images, read once however many tables a row is in."""

    def __init__(self, predictions: PredictionsOf, photographs: Photographs) -> None:
        self._predictions, self._photographs = predictions, photographs
        self._known: dict[tuple[Dataset | None, tuple[str, ...]], Called | None] = {}

    def of(self, row: Row, *, on: Dataset | None = None) -> Called | None:
        """None where the row has no run, or one of its runs has no predictions of the same images.

        Args:
            on: the dataset whose test images they are; None: the row's own.

        Raises:
            InputError: predictions that are not those a record counts.
        """
        key = on, tuple(run.trial.id for run in row.runs)
        if key not in self._known:
            self._known[key] = self._read(row, on)
        return self._known[key]

    def _read(self, row: Row, on: Dataset | None) -> Called | None:
        found = [of_record(run, self._predictions, on=on) for run in row.runs]
        first = next(iter(found), None)
        if first is None or not all(one and np.array_equal(one.ids, first.ids) for one in found):
            return None
        names = list(map(str, first.ids))
        units = np.unique([self._photographs.get(name, name) for name in names], return_inverse=True)[1]
        images = LabelledImages(first.ids, first.truth, row.runs[0].test.classes, units)
        return Called(row.config, images, {s: one.called for s, one in zip(row.seeds, found, strict=True) if one})


@cache
def differences(a: Called, b: Called) -> tuple[tuple[int, ...], dict[str, Difference]]:
    """The seeds that both rows have, and every score of `a` less that of `b`; nothing where they cannot be paired."""
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


def _tests(a: Called, b: Called, seeds: Sequence[int]) -> dict[str, tuple[float, str]]:
    """p and its test for every score. With several seeds a difference must show over the images and over the seeds."""
    calls_a, calls_b = ([called.by_seed[seed] for seed in seeds] for called in (a, b))
    p = randomised(a.images, calls_a, calls_b, seed=int(a.config.id, 16) ^ int(b.config.id, 16))
    found = {name: (value, EXCHANGE) for name, value in p.items()}
    if len(seeds) == 1:
        exact = {} if a.images.grouped else mcnemar(a.images, calls_a[0], calls_b[0])
        return found | {name: (value, EXACT) for name, value in exact.items()}
    each_a, each_b = ([called.scores(seed) for seed in seeds] for called in (a, b))
    t = over_seeds(*({name: [one[name] for one in each] for name in found} for each in (each_a, each_b)))
    return {name: max(found[name], (t[name], SEEDS)) for name in found}


def compare(filled: Filled, called: Mapping[Labels, Called]) -> list[Comparison]:
    """Every cell beside the best of its column and group, where both rows have predictions of the same images."""
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
    """Each row whose number is not the best of its group, and the first that is."""
    best: dict[Labels, Row] = {}
    for row in filled.rows:
        if row.cells[column].best:
            best.setdefault(row.labels[: filled.table.best_within], row)
    others = [row for row in filled.rows if row.cells[column].mean is not None and not row.cells[column].best]
    return [(row, best[group]) for row in others if (group := row.labels[: filled.table.best_within]) in best]


def mark(filled: Filled, comparisons: Sequence[Comparison]) -> Filled:
    """Mark every cell that is not shown to be worse than the best; what was not tested is not shown to."""
    worse = [one for one in comparisons if one.adjusted < ALPHA and one.difference.value < 0]
    apart = {(one.row.labels, one.column) for one in worse}
    marked = {(row.labels, i) for i in range(len(filled.table.columns)) for row, _ in _rivals(filled, i)} - apart

    def cells(row: Row) -> tuple[Score, ...]:
        return tuple(replace(cell, not_apart=(row.labels, i) in marked) for i, cell in enumerate(row.cells))

    return replace(filled, rows=tuple(replace(row, cells=cells(row)) for row in filled.rows))
