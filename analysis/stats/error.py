"""The error of a number: a normal one over test images plus one over seeds, whose variance is an estimate."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import root_scalar
from scipy.stats import chi2, norm

LEVEL = 0.95
POINTS = 2000


@dataclass(frozen=True, kw_only=True)
class Error:
    """Variances over test images and over seeds; the latter was estimated with `df` degrees of freedom.

    In units of its standard error the seeds' part is Student's t, so that the sum is that of a normal and a t variable,
    as in the problem of Behrens and Fisher.
    """

    images: float
    seeds: float
    df: float
    """Infinite: the variance over seeds is known or assumed."""

    @property
    def sd(self) -> float:
        """The standard error."""
        return (self.images + self.seeds) ** 0.5

    @cached_property
    def _sds(self) -> np.ndarray:
        """Standard errors that are possible given the estimate, equally likely (POINTS,)."""
        if np.isinf(self.df):
            return np.array([self.sd])
        ratio = chi2.ppf((np.arange(POINTS) + 0.5) / POINTS, self.df) / self.df
        return np.sqrt(self.images + self.seeds / ratio)

    def p(self, value: float) -> float:
        """The probability of an error of this size or larger, in either direction."""
        return float(2 * norm.sf(abs(value) / self._sds).mean())

    @cached_property
    def reach(self) -> float:
        """Half the width of the 95 % interval."""
        far = 2 * float(norm.isf((1 - LEVEL) / 2) * self._sds.max())
        return root_scalar(lambda value: self.p(value) - (1 - LEVEL), bracket=(0, far)).root

    def interval(self, share: float, *, weight: float) -> tuple[float, float]:
        """The 95 % interval of a share in [0, 1]: Wilson's for as many units as would give this error.

        Args:
            weight: units that the share is of; they count where the share is 0 or 1, which have no estimated error.
        """
        z = float(norm.isf((1 - LEVEL) / 2)) if np.isinf(self.df) or not self.sd else self.reach / self.sd
        units = share * (1 - share) / self.sd**2 if self.sd and 0 < share < 1 else weight
        middle = (share + z**2 / (2 * units)) / (1 + z**2 / units)
        half = z / (1 + z**2 / units) * (share * (1 - share) / units + z**2 / (4 * units**2)) ** 0.5
        return max(min(middle - half, share), 0.0), min(max(middle + half, share), 1.0)  # whatever is rounded
