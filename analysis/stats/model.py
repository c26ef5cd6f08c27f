"""The model of a table: a score varies with the test images and with the seeds, and both variances are added.

The error of a row's mean is a normal one from the test images, which all rows share, plus one from the seeds, whose
variance is estimated from the scatter of all rows. docs/analysis.md gives reasons and sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.stats.error import Error
from analysis.stats.images import LabelledImages
from wbc_model.scoring.scores import scores

ASSUMED_SD = 0.005
"""Standard deviation over seeds that is assumed for OA where no row has two seeds; see `Model.assumed_sds`."""

PRIOR_DF = 6.0
"""How much alike the variances over seeds of a table's rows are taken to be, as degrees of freedom of an inverse chi^2.

With 6, the SDs of 95 % of rows are 0.53 to 1.8 times the pooled one.
"""


@dataclass(frozen=True, eq=False)
class Model:
    """The scores of rows that were tested on the same images, and how they vary."""

    images: LabelledImages
    called: Sequence[np.ndarray]
    """Predicted classes of each row (seeds, N)."""
    names: list[str]
    """The scores."""
    fixed: bool = False
    """Whether the question is of these trained networks alone: then only the images vary."""
    prior_df: float = PRIOR_DF
    """Degrees of freedom of the distribution of variances over seeds among rows; infinite: all are equal."""

    @cached_property
    def seeds(self) -> np.ndarray:
        """Seeds of each row (rows,)."""
        return np.array([len(one) for one in self.called])

    @cached_property
    def weight(self) -> np.ndarray:
        """Units that each score is a share of (scores,)."""
        return np.array([self.images.weight(name) for name in self.names])

    @cached_property
    def tests(self) -> list[LabelledImages]:
        """The test images of each row."""
        return [self.images] * len(self.called)

    @cached_property
    def _each(self) -> list[np.ndarray]:
        """Of each row, the scores of its seeds (seeds, scores)."""
        tested = zip(self.tests, self.called, strict=True)
        found = [scores(images.matrices(one), images.cells) for images, one in tested]
        return [np.stack([one[name] for name in self.names], axis=-1) for one in found]

    @cached_property
    def _influences(self) -> list[np.ndarray]:
        return [images.influences(one, self.names) for images, one in zip(self.tests, self.called, strict=True)]

    @cached_property
    def mean(self) -> np.ndarray:
        """(rows, scores)."""
        return np.array([one.mean(0) for one in self._each])

    @cached_property
    def influence(self) -> np.ndarray:
        """Of the means over the seeds (rows, scores, units)."""
        return np.array([one.mean(0) for one in self._influences])

    @cached_property
    def df(self) -> int:
        """Degrees of freedom of the variance over seeds, pooled over the rows; 0: no row has two seeds."""
        return int((self.seeds - 1).sum())

    @property
    def sd_assumed(self) -> bool:
        """Whether errors over seeds rest on `assumed_sds`, as no row has two seeds."""
        return not self.df and not self.fixed

    @cached_property
    def scatter(self) -> np.ndarray:
        """Covariance of the scores over seeds on these test images, pooled over the rows (scores, scores)."""
        if self.fixed or not self.df:
            return np.diag(self.assumed_sds**2) * (not self.fixed)
        apart = np.concatenate([one - one.mean(0) for one in self._each])
        return apart.T @ apart / self.df

    @cached_property
    def assumed_sds(self) -> np.ndarray:
        """Standard deviations over seeds of the scores where no row has two seeds (scores,).

        Where a score errs more than OA, as those of rare classes do, it is taken to vary more in proportion.
        """
        tested = zip(self.tests, self.called, strict=True)
        wrong = float(np.mean([(called != images.truth).mean() for images, called in tested]))
        return ASSUMED_SD * np.maximum((1 - self.mean.mean(0)) / max(wrong, ASSUMED_SD), 1)

    @cached_property
    def interaction(self) -> np.ndarray:
        """The covariance over images of each mean that the scatter over seeds holds too (rows, scores, scores).

        Seeds err on different images; without this, their part would be counted twice (Cameron, Gelbach & Miller 2011).
        """
        found = np.zeros((len(self.called), *self.scatter.shape))
        for r, one in enumerate(self._influences):
            if not self.fixed and len(one) > 1:
                apart = one - one.mean(0)
                found[r] = np.einsum("scu,sdu->cd", apart, apart) / (len(one) * (len(one) - 1))
        return found

    @cached_property
    def kept(self) -> np.ndarray:
        """Of the variance over images of single networks, the share that the mean over seeds has (rows, scores)."""
        single = np.array([(one**2).sum(-1).mean(0) for one in self._influences])
        return np.where(single > 0, (self.influence**2).sum(-1) / np.where(single > 0, single, 1), 1.0)

    def over_images(self, i: int, j: int) -> np.ndarray:
        """Variance over test images of the difference of two equally good rows (scores,), less the interaction.

        One more unit, on which the rows disagree, keeps it above zero where they agree on all.
        """
        found = ((self.influence[i] - self.influence[j]) ** 2).sum(-1)
        apart = np.diagonal(self.interaction[i] + self.interaction[j])
        return np.maximum(found - apart, 0) + self.weight**-2.0

    def over_seeds(self, i: int, j: int, *, own: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
        """Variance over seeds of the difference of two rows (scores,): the pooled one, or their own if it is larger.

        Else a method that varies more over seeds than the others would be called worse too often.

        Args:
            own: variances of the two rows (..., scores), in place of those of their scores.
        """
        first, second = own or (self._own[i], self._own[j])
        return np.maximum(self.pooled(i, j), first / self.seeds[i] + second / self.seeds[j])

    def pooled(self, i: int, j: int) -> np.ndarray:
        """The same by the variance that is pooled over the rows (scores,)."""
        return np.diag(self.scatter) * (1 / self.seeds[i] + 1 / self.seeds[j])

    @cached_property
    def _own(self) -> np.ndarray:
        """The variance of each row's scores over its seeds (rows, scores); 0 for one seed, or if only images vary."""
        counted = 0.0 if self.fixed else 1.0
        return np.array([counted * ((one - one.mean(0)) ** 2).sum(0) / max(len(one) - 1, 1) for one in self._each])

    @cached_property
    def relative_scatter(self) -> np.ndarray:
        """The variance of each row over its seeds as a multiple of the pooled one (rows,), the mean over the scores."""
        pooled = np.diag(self.scatter)
        return np.divide(self._own, pooled, out=np.ones_like(self._own), where=pooled > 0).mean(1)

    def difference(self, i: int, j: int, name: str) -> tuple[float, Error]:
        """Row i minus row j, in [-1, 1], and its error."""
        c = self.names.index(name)
        value = float(self.mean[i, c] - self.mean[j, c])
        images = float(self.over_images(i, j)[c] + value**2 / self.weight[c])
        return value, Error(images=images, seeds=float(self.over_seeds(i, j)[c]), df=self.error_df)

    def error(self, i: int, name: str) -> Error:
        """The error of the mean of one row."""
        c = self.names.index(name)
        images = float((self.influence[i, c] ** 2).sum() - self.interaction[i, c, c])
        return Error(images=max(images, 0.0), seeds=float(self.scatter[c, c] / self.seeds[i]), df=self.error_df)

    def error_as_networks(self, i: int, name: str) -> Error:
        """The error of the mean of one row over images alone, of its trained networks."""
        c = self.names.index(name)
        return Error(images=float((self.influence[i, c] ** 2).sum()), seeds=0.0, df=np.inf)

    @property
    def error_df(self) -> float:
        """Degrees of freedom of the variance over seeds; infinite where it is assumed or does not count."""
        return float(self.df) if self.df and not self.fixed else np.inf
