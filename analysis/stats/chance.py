"""What equally good rows of a table would show by chance, over all pairs of rows and all columns at once (max-t)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.stats.model import Model

DRAWS = 10_000
ALPHA, POWER = 0.05, 0.8
STEPS = 6
"""Iterations to the difference of a table that is just shown, which enters its own variance."""
TRUSTED = 4
"""Degrees of freedom from which on the estimated correlation of two scores over seeds is trusted.

That from fewer is too high in size, so that equal rows would be called worse too often (tests/simulations).
"""


@dataclass(frozen=True, eq=False)
class Chance:
    """Tables drawn from a model in which all rows of a group are equally good."""

    model: Model
    groups: Sequence[Sequence[int]]
    """Indices of the rows that compete with each other."""
    seed: int

    @cached_property
    def _over_images(self) -> np.ndarray:
        """Errors of the means over test images (DRAWS, rows, scores)."""
        rows, scores, _ = self.model.influence.shape
        flat = self.model.influence.reshape(rows * scores, -1)
        covariance = flat @ flat.T
        for r, apart in enumerate(self.model.interaction):
            part = slice(r * scores, (r + 1) * scores)
            covariance[part, part] -= apart
        return _normal(covariance, DRAWS, seed=self.seed).reshape(DRAWS, rows, scores)

    @cached_property
    def _over_seeds(self) -> np.ndarray:
        """Errors of the means over seeds, if their variance is as estimated (DRAWS, rows, scores)."""
        rows, scores = self.model.mean.shape
        drawn = _normal(self._covariance, DRAWS * rows, seed=self.seed + 1).reshape(DRAWS, rows, scores)
        return drawn / np.sqrt(self.model.seeds[:, None])

    @cached_property
    def _covariance(self) -> np.ndarray:
        """The covariance of the scores over seeds (scores, scores), with smaller correlations if from few seeds."""
        known = min(1.0, self.model.df / TRUSTED)
        return known * self.model.scatter + (1 - known) * np.diag(np.diag(self.model.scatter))

    @cached_property
    def _own(self) -> np.ndarray:
        """The variance of each row over its seeds, as a multiple of the true one (DRAWS, rows, scores); 0 for one."""
        rows, names = len(self.model.seeds), self.model.names
        if np.isinf(self.model.error_df):
            return np.zeros((DRAWS, rows, len(names)))
        df, variances = self.model.seeds - 1, np.maximum(np.diag(self._covariance), 1e-18)
        squares = _normal(self._covariance, DRAWS * df.sum(), seed=self.seed + 2).reshape(DRAWS, df.sum(), -1) ** 2
        of_rows = np.split(squares, df.cumsum()[:-1], axis=1)
        return np.stack([one.sum(1) / max(n, 1) for one, n in zip(of_rows, df, strict=True)], axis=1) / variances

    @cached_property
    def _ratio(self) -> np.ndarray:
        """The pooled variance over seeds as a multiple of the true one (DRAWS, scores)."""
        if np.isinf(self.model.error_df):
            return np.ones((DRAWS, len(self.model.names)))
        df = self.model.seeds - 1
        return np.maximum((self._own * df[:, None]).sum(1) / df.sum(), 1e-18)

    def _estimated(self, i: int, j: int) -> np.ndarray:
        """The variance over seeds of a difference as tables estimate it (DRAWS, scores), if they pool the model's."""
        unit = np.diag(self._covariance) / self._ratio
        return self.model.over_seeds(i, j, own=(unit * self._own[:, i], unit * self._own[:, j]))

    @cached_property
    def _errors(self) -> np.ndarray:
        """Errors of the means (DRAWS, rows, scores), those over seeds with the variances that the estimate allows."""
        return self._over_images + self._over_seeds / np.sqrt(self._ratio)[:, None]

    def deviates(self, i: int, j: int) -> np.ndarray:
        """Differences between two equally good rows, as normal deviates (DRAWS, scores)."""
        images, seeds = self.model.over_images(i, j), self._estimated(i, j)
        drawn = np.abs(self._errors[:, i] - self._errors[:, j]) / np.sqrt(images + seeds)
        return normal(drawn, freedom(images, seeds, self.model.error_df)).astype(np.float32)

    def detectable(self, i: int, group: Sequence[int], *, critical: float) -> np.ndarray:
        """The minimum detectable difference (scores,): if row i is so much worse than all others of its group, which
        are equally good, 80 % of further tables show it; infinite if too few do.

        The true variance over seeds is drawn too, given its estimate here (the predictive power of Spiegelhalter,
        Freedman & Blackburn 1986): as each table estimates it anew, by this estimate alone fewer would show it.
        A worse row errs on more units, and so varies more over images than the equal rows that it is computed from.

        Args:
            critical: the deviate from which on a difference is significant.
        """
        model, n = self.model, self.model.seeds
        more = model.kept[i] / model.weight  # variance over images, for a difference of 1
        apart = (1 - model.kept[i]) / model.weight * n[i] / (n[i] - 1)  # over seeds, which err on other images
        noise = np.random.default_rng(self.seed + 3).standard_normal((DRAWS, len(more))) * np.sqrt(more)
        true = 1 / self._ratio[::-1]  # of independent draws, as a multiple of this table's estimate
        scatter = np.diag(self._covariance) * true
        errors = self._over_images + self._over_seeds * np.sqrt(true)[:, None]
        wanted = np.full(noise.shape, np.inf)
        for j in group:
            if j != i:
                far = np.zeros(noise.shape)
                for _ in range(STEPS):
                    images = model.over_images(i, j) + far * (more - apart / n[i])
                    pooled = scatter * self._ratio + far * apart * (n[i] - 1) / model.df
                    own = (scatter + far * apart) * self._own[:, i] / n[i] + scatter * self._own[:, j] / n[j]
                    seeds = np.maximum(pooled * (1 / n[i] + 1 / n[j]), own)
                    limit = student(critical, freedom(images, seeds, model.error_df)) * np.sqrt(images + seeds)
                    far = np.clip(limit + errors[:, i] - errors[:, j] + noise * np.sqrt(far), 0, 1)
                np.fmin(wanted, np.where(far < 1, far, np.inf), out=wanted)
        return np.quantile(wanted, POWER, axis=0, method="higher")


def _normal(covariance: np.ndarray, n: int, *, seed: int) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    drawn = np.random.default_rng(seed).standard_normal((n, len(values)))
    return drawn @ (vectors * np.sqrt(np.maximum(values, 0))).T


def freedom(images: np.ndarray, seeds: np.ndarray, df: float) -> np.ndarray:
    """Satterthwaite's degrees of freedom of a sum of variances, of which that over seeds has `df`."""
    return df * ((images + seeds) / np.maximum(seeds, 1e-18)) ** 2


def normal(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """The normal deviate as rare as Student's t (Wallace 1959), so that columns of unequal df weigh alike."""
    with np.errstate(invalid="ignore"):
        found = (8 * df + 1) / (8 * df + 3) * np.sqrt(df * np.log1p(t**2 / df))
    return np.where(np.isinf(df), t, found)


def student(z: float, df: np.ndarray) -> np.ndarray:
    """Student's t that is as rare as a normal deviate: the inverse of `normal`."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.sqrt(df * np.expm1((z * (8 * df + 3) / (8 * df + 1)) ** 2 / df))
    return np.where(np.isinf(df), z, found)
