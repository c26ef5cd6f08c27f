"""Tests and intervals for trials evaluated on the same test images, as functions of arrays.

The independent units are single images, or all images of one photographed cell where images are copies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from statistics import fmean, stdev

import numpy as np
from scipy.stats import binomtest, t, ttest_rel
from statsmodels.stats.proportion import proportion_confint

from wbc_model.scoring.scores import Scores, scores

RESAMPLES = 2000
PERMUTATIONS = 9999
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """A test set."""

    ids: np.ndarray
    """Names (N,)."""
    truth: np.ndarray
    """Indices of the true classes (N,)."""
    cells: tuple[str, ...]
    units: np.ndarray
    """Index of the unit of each image (N,), from 0."""

    @property
    def n_units(self) -> int:
        return int(self.units.max()) + 1

    @property
    def strata(self) -> tuple[int, ...]:
        """Class index of each unit, that of its first image."""
        return tuple(self.truth[np.unique(self.units, return_index=True)[1]].tolist())

    @property
    def grouped(self) -> bool:
        return self.n_units < len(self.ids)

    def counts(self, called: np.ndarray) -> np.ndarray:
        """The flattened confusion matrix of each unit (units, classes * classes), from predicted classes (N,)."""
        k = len(self.cells)
        return np.bincount(self.units * k * k + self.truth * k + called, minlength=self.n_units * k * k).reshape(
            self.n_units, k * k
        )


@cache
def _weights(strata: tuple[int, ...], seed: int) -> np.ndarray:
    """How often each resample holds each unit (RESAMPLES, units); the same for all trials, so that they stay paired.

    Units are drawn within each class: BCCD has four test photographs of monocytes, and some resamples would miss all.
    """
    rng = np.random.default_rng(seed)
    weights = np.empty((RESAMPLES, len(strata)), np.float32)
    for stratum in sorted(set(strata)):
        members = np.flatnonzero(np.equal(strata, stratum))
        n = len(members)
        weights[:, members] = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return weights


def resampled(images: LabelledImages, called: np.ndarray, *, seed: int = 0) -> Scores:
    """By score, its value in each bootstrap resample of the units (RESAMPLES,), from predicted classes (N,)."""
    counts = images.counts(called).astype(np.float32)
    return scores((_weights(images.strata, seed) @ counts).astype(float), images.cells)


def share_interval(hits: int, images: int) -> tuple[float, float]:
    """Wilson's 95 % interval of the share `hits / images` of independent images."""
    low, high = proportion_confint(hits, images, alpha=1 - LEVEL, method="wilson")
    return float(low), float(high)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's 95 % interval of the mean of two or more values."""
    middle, error = fmean(values), stdev(values) / sqrt(len(values))
    reach = float(t.isf((1 - LEVEL) / 2, len(values) - 1)) * error
    return middle - reach, middle + reach


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles of resampled values."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def randomised(
    images: LabelledImages, a: Sequence[np.ndarray], b: Sequence[np.ndarray], *, seed: int
) -> dict[str, float]:
    """By score, the two-sided p of a randomisation test that exchanges the two rows' predictions unit by unit.

    The test is exact for any score: if the rows do not differ, every exchange is as likely as what was observed.

    Args:
        a, b: predicted classes (N,) of each row, one array per seed; a unit is exchanged in all seeds at once.
    """
    first = np.stack([images.counts(called) for called in a]).astype(np.float32)  # (seeds, units, classes^2)
    second = np.stack([images.counts(called) for called in b]).astype(np.float32)
    differ = (first != second).any((0, 2))
    change = (first - second)[:, differ]
    rng = np.random.default_rng(seed)
    coins = rng.integers(0, 256, (PERMUTATIONS, -(-change.shape[1] // 8)), dtype=np.uint8)
    exchange = np.unpackbits(coins, axis=1, count=change.shape[1]).astype(np.float32)
    moved = exchange @ change  # (seeds, PERMUTATIONS, classes^2)
    total_a, total_b = first.sum(1)[:, None], second.sum(1)[:, None]
    found = _difference(total_a, total_b, images.cells)
    chance = _difference(total_a - moved, total_b + moved, images.cells)
    return {
        name: float(1 + (np.abs(values) >= np.abs(found[name]) - 1e-9).sum()) / (PERMUTATIONS + 1)
        for name, values in chance.items()
    }


def _difference(a: np.ndarray, b: np.ndarray, cells: Sequence[str]) -> Scores:
    """By score, the difference of the means over the seeds, which are the first axis."""
    one, other = scores(a.astype(float), cells), scores(b.astype(float), cells)
    return {name: (one[name] - other[name]).mean(0) for name in one}


def mcnemar(images: LabelledImages, a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Exact McNemar p of the scores that are shares of images: the accuracy, and the recall of each class."""
    right_a, right_b = a == images.truth, b == images.truth
    parts = {"accuracy": np.ones(len(images.truth), bool)}
    parts |= {f"recall/{cell}": images.truth == i for i, cell in enumerate(images.cells)}
    return {
        name: _sign_test(right_a[part] & ~right_b[part], right_b[part] & ~right_a[part]) for name, part in parts.items()
    }


def _sign_test(only_a: np.ndarray, only_b: np.ndarray) -> float:
    wins, losses = int(only_a.sum()), int(only_b.sum())
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def over_seeds(a: Mapping[str, Sequence[float]], b: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """By score, p of the paired t test over two or more seeds."""
    return {name: _t_test(np.subtract(a[name], b[name])) for name in a}


def _t_test(differences: np.ndarray) -> float:
    if np.ptp(differences) < 1e-12:
        return float(abs(differences[0]) < 1e-12)
    return float(ttest_rel(differences, np.zeros_like(differences)).pvalue)
