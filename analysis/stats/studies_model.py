"""The model of a table whose rows are those of two studies."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from analysis.stats.error import Error
from analysis.stats.images import LabelledImages
from analysis.stats.model import Model


@dataclass(frozen=True, eq=False)
class StudiesModel(Model):
    """Rows of study A, tested on `images`, then the same rows of study B, tested on `others`.

    The variance over seeds is pooled in units of p (1 - p), as weak rows and rare classes vary more, and a pair of rows
    that varies more than that has its own: else such pairs would be said to differ too often (tests/simulations).
    """

    others: LabelledImages | None = None
    prior_df: float = np.inf
    """`difference` allows for pairs that vary more."""

    @cached_property
    def tests(self) -> list[LabelledImages]:
        assert self.others is not None
        others = self.images if alike(self.images, self.others) else self.others
        return [self.images] * self.pairs + [others] * self.pairs

    @property
    def pairs(self) -> int:
        return len(self.called) // 2

    @cached_property
    def weight(self) -> np.ndarray:
        """Units that each score is a share of (scores,), in the smaller test set."""
        return np.array([min(images.weight(name) for images in self.tests) for name in self.names])

    @cached_property
    def influence(self) -> np.ndarray:
        """(rows, scores, units), with the units of A before those of B where these are other images."""
        means = [one.mean(0) for one in self._influences]
        if self.tests[0] is self.tests[-1]:
            return np.array(means)
        after, before = (np.zeros((len(self.names), images.n_units)) for images in (self.tests[-1], self.tests[0]))
        first = [np.concatenate([one, after], axis=-1) for one in means[: self.pairs]]
        return np.array([*first, *(np.concatenate([before, one], axis=-1) for one in means[self.pairs :])])

    def over_seeds(self, i: int, j: int, *, own: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:  # noqa: ARG002
        """By the pooled variance: `difference` has another rule for pairs that vary more."""
        return self.pooled(i, j)

    def difference(self, i: int, j: int, name: str) -> tuple[float, Error]:
        value, error = super().difference(i, j, name)
        if self.fixed or not self.df:
            return value, error
        variance = self._over_seeds_of_pairs[i % self.pairs, self.names.index(name)]
        return value, replace(error, seeds=float(variance * (1 / self.seeds[i] + 1 / self.seeds[j])))

    @cached_property
    def _over_seeds_of_pairs(self) -> np.ndarray:
        """The variance over seeds of each pair of rows (pairs, scores)."""
        squares = np.array([((one - one.mean(0)) ** 2).sum(0) for one in self._each])
        squares, df = squares[: self.pairs] + squares[self.pairs :], self.seeds[: self.pairs] + self.seeds[self.pairs :]
        mean = (self.mean[: self.pairs] + self.mean[self.pairs :]) / 2
        share = np.clip(mean, 1 / self.weight, 1 - 1 / self.weight)
        binomial = share * (1 - share)
        pooled = (squares / binomial).sum(0) / self.df * binomial
        return np.maximum(pooled, squares / np.maximum(df - 2, 1)[:, None])


def alike(a: LabelledImages, b: LabelledImages) -> bool:
    """Whether two test sets have the same images, by their names, with the same true classes."""
    arrays = ((a.ids, b.ids), (a.truth, b.truth), (a.units, b.units))
    return a.cells == b.cells and all(np.array_equal(one, other) for one, other in arrays)
