"""The smallest differences between two rows that a test set can show."""

from math import sqrt

from scipy.optimize import root_scalar
from scipy.stats import binomtest, norm

ALPHA, POWER = 0.05, 0.8


def detectable(images: int, *, disagreement: float) -> float:
    """The minimum detectable difference of two accuracies: McNemar's test, two-sided at 5 %, has 80 % power for it.

    Solves (z_a sqrt(d) + z_b sqrt(d - x^2))^2 = n x^2 for x (Connor 1987). A difference x implies a disagreement of at
    least x, so d is max(disagreement, x).

    Args:
        disagreement: share of the images that exactly one of the two rows classifies correctly.
    """
    z_a, z_b = float(norm.isf(ALPHA / 2)), float(norm.isf(1 - POWER))

    def shortfall(x: float) -> float:
        d = max(disagreement, x)
        return z_a * sqrt(d) + z_b * sqrt(d - x * x) - sqrt(images) * x

    return root_scalar(shortfall, bracket=(1e-9, 1.0)).root if shortfall(1.0) < 0 else 1.0


def smallest_significant(images: int, *, disagreements: int) -> float | None:
    """The smallest observed difference of two accuracies that is significant, given the number of disagreements.

    None if none is: with fewer than six disagreements, not even a unanimous outcome is significant at 5 %.
    """
    few = (losses for losses in range(disagreements // 2, -1, -1) if _p(losses, disagreements) < ALPHA)
    return next(((disagreements - 2 * losses) / images for losses in few), None)


def _p(losses: int, disagreements: int) -> float:
    return float(binomtest(losses, disagreements).pvalue) if disagreements else 1.0
