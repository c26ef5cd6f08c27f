"""How small a difference between two rows can a test set show?"""

from math import sqrt

from scipy.optimize import root_scalar
from scipy.stats import binomtest, norm

ALPHA, POWER = 0.05, 0.8


def detectable(images: int, *, disagreement: float) -> float:
    """The true difference of two accuracies that McNemar's test finds four times in five, at 5 % and two-sided.

    Solves (z_a sqrt(d) + z_b sqrt(d - x^2))^2 = n x^2 for x (Connor 1987). Rows that differ by more than d disagree
    on more than d: then d is x.

    Args:
        disagreement: d, the share of the images that exactly one of the two rows calls right.
    """
    z_a, z_b = float(norm.isf(ALPHA / 2)), float(norm.isf(1 - POWER))

    def lacking(x: float) -> float:
        d = max(disagreement, x)
        return z_a * sqrt(d) + z_b * sqrt(d - x * x) - sqrt(images) * x

    return root_scalar(lacking, bracket=(1e-9, 1.0)).root if lacking(1.0) < 0 else 1.0


def smallest_significant(images: int, *, disagreements: int) -> float | None:
    """The smallest difference of two accuracies seen that is significant when the rows disagree on so many images.

    None where none is: on fewer than six, not even all of them falling to one side are.
    """
    few = (losses for losses in range(disagreements // 2, -1, -1) if _p(losses, disagreements) < ALPHA)
    return next(((disagreements - 2 * losses) / images for losses in few), None)


def _p(losses: int, disagreements: int) -> float:
    return float(binomtest(losses, disagreements).pvalue) if disagreements else 1.0
