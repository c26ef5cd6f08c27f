"""What equally good rows of a table would show by chance, over all pairs of rows and all columns at once (max-t)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, auto
from functools import cached_property

import numpy as np

from analysis.stats.model import Model

DRAWS = 10_000
ALPHA = 0.05
TRUSTED = 4
"""Degrees of freedom from which on the estimated correlation of two scores over seeds is trusted.

That from fewer is too high in size, so that equal rows would be called worse too often (tests/simulations).
"""


class Drawn(IntEnum):
    """What is drawn, each from random numbers of its own."""

    IMAGES = auto()
    SEEDS = auto()
    VARIANCES = auto()
    ROWS = auto()
    WORSE_ROW = auto()


@dataclass(frozen=True, eq=False)
class Chance:
    """Tables drawn from a model in which all rows of a group are equally good."""

    model: Model
    groups: Sequence[Sequence[int]]
    """Indices of the rows that compete with each other."""
    seed: int
    """Another for each test set of a table, as scores on different images vary independently."""

    def random(self, what: Drawn) -> np.random.Generator:
        return np.random.default_rng((self.seed, what))

    @cached_property
    def alike(self) -> "Chance":
        """Of tables whose rows vary alike over seeds."""
        return replace(self, model=replace(self.model, prior_df=np.inf))

    @cached_property
    def over_images(self) -> np.ndarray:
        """Errors of the means over test images (DRAWS, rows, scores)."""
        rows, scores, _ = self.model.influence.shape
        flat = self.model.influence.reshape(rows * scores, -1)
        covariance = flat @ flat.T
        for r, apart in enumerate(self.model.interaction):
            part = slice(r * scores, (r + 1) * scores)
            covariance[part, part] -= apart
        return _normal(covariance, DRAWS, self.random(Drawn.IMAGES)).reshape(DRAWS, rows, scores)

    @cached_property
    def over_seeds(self) -> np.ndarray:
        """Errors of the means over seeds, if their pooled variance is as estimated (DRAWS, rows, scores)."""
        rows, scores = self.model.mean.shape
        drawn = _normal(self._covariance, DRAWS * rows, self.random(Drawn.SEEDS)).reshape(DRAWS, rows, scores)
        return drawn * np.sqrt(self.uneven[..., None] / self.model.seeds[:, None])

    @cached_property
    def uneven(self) -> np.ndarray:
        """The true variance of each row over seeds as a multiple of the pooled one (DRAWS, rows).

        From its posterior given the row's own variance, after an inverse chi^2 prior whose mean is 1 (Smyth 2004).
        """
        prior, df = self.model.prior_df, self.model.seeds - 1
        if np.isinf(prior) or np.isinf(self.model.error_df):
            return np.ones((DRAWS, len(df)))
        drawn = self.random(Drawn.ROWS).chisquare(prior + df, (DRAWS, len(df)))
        return (prior - 2 + df * self.model.relative_scatter) / drawn

    @cached_property
    def _covariance(self) -> np.ndarray:
        """The covariance of the scores over seeds (scores, scores), with smaller correlations if from few seeds."""
        known = min(1.0, self.model.df / TRUSTED)
        return known * self.model.scatter + (1 - known) * np.diag(np.diag(self.model.scatter))

    @cached_property
    def own(self) -> np.ndarray:
        """The variance of each row over its seeds as a multiple of the true pooled one (DRAWS, rows, scores).

        0 for one seed.
        """
        rows, names = len(self.model.seeds), self.model.names
        if np.isinf(self.model.error_df):
            return np.zeros((DRAWS, rows, len(names)))
        df, variances = self.model.seeds - 1, np.maximum(np.diag(self._covariance), 1e-18)
        drawn = _normal(self._covariance, DRAWS * df.sum(), self.random(Drawn.VARIANCES))
        of_rows = np.split(drawn.reshape(DRAWS, df.sum(), -1) ** 2, df.cumsum()[:-1], axis=1)
        found = np.stack([one.sum(1) / max(n, 1) for one, n in zip(of_rows, df, strict=True)], axis=1) / variances
        return found * self.uneven[..., None]

    @cached_property
    def ratio(self) -> np.ndarray:
        """The pooled variance over seeds as a multiple of the true one (DRAWS, scores)."""
        if np.isinf(self.model.error_df):
            return np.ones((DRAWS, len(self.model.names)))
        df = self.model.seeds - 1
        return np.maximum((self.own * df[:, None]).sum(1) / df.sum(), 1e-18)

    @cached_property
    def true(self) -> np.ndarray:
        """The true variance over seeds as a multiple of the estimated one, drawn independently (DRAWS, scores)."""
        return 1 / self.ratio[::-1]

    @cached_property
    def further_errors(self) -> np.ndarray:
        """Errors of the means of further tables, with that true variance (DRAWS, rows, scores)."""
        return self.over_images + self.over_seeds * np.sqrt(self.true)[:, None]

    def _estimated(self, i: int, j: int) -> np.ndarray:
        """The variance over seeds of a difference as tables estimate it (DRAWS, scores), if they pool the model's."""
        unit = np.diag(self._covariance) / self.ratio
        return self.model.over_seeds(i, j, own=(unit * self.own[:, i], unit * self.own[:, j]))

    @cached_property
    def _errors(self) -> np.ndarray:
        """Errors of the means (DRAWS, rows, scores), those over seeds with the variances that the estimate allows."""
        return self.over_images + self.over_seeds / np.sqrt(self.ratio)[:, None]

    def deviates(self, i: int, j: int) -> np.ndarray:
        """Differences between two equally good rows, as normal deviates (DRAWS, scores)."""
        images, seeds = self.model.over_images(i, j), self._estimated(i, j)
        drawn = np.abs(self._errors[:, i] - self._errors[:, j]) / np.sqrt(images + seeds)
        return normal(drawn, freedom(images, seeds, self.model.error_df)).astype(np.float32)


def _normal(covariance: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    drawn = random.standard_normal((n, len(values)))
    return drawn @ (vectors * np.sqrt(np.maximum(values, 0))).T


def critical(largest: np.ndarray) -> float:
    """The value from which on the largest deviate of a table is among the rarest (ALPHA) of those drawn (DRAWS,)."""
    rarest = int(ALPHA * (len(largest) + 1))
    return float(np.partition(largest, -rarest)[-rarest])


def freedom(images: np.ndarray, seeds: np.ndarray, df: float) -> np.ndarray:
    """Satterthwaite's degrees of freedom of a sum of variances, of which that over seeds has `df`."""
    return df * ((images + seeds) / np.maximum(seeds, 1e-18)) ** 2


def normal(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """The normal deviate as rare as Student's t (Wallace 1959), so that columns of unequal df weigh alike."""
    with np.errstate(invalid="ignore"):
        found = (8 * df + 1) / (8 * df + 3) * np.sqrt(df * np.log1p(t**2 / df))
    return np.where(np.isinf(df), t, found)


def student(z: float | np.ndarray, df: np.ndarray) -> np.ndarray:
    """Student's t that is as rare as a normal deviate: the inverse of `normal`."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.sqrt(df * np.expm1((z * (8 * df + 3) / (8 * df + 1)) ** 2 / df))
    return np.where(np.isinf(df), z, found)
