"""New."""

from math import sqrt

import numpy as np
from scipy.stats import studentized_range


def critical_difference(models: int, datasets: int) -> float:
    """Mean ranks that are farther apart than this differ at 5 % (Nemenyi)."""
    q = float(studentized_range.ppf(0.95, models, np.inf)) / sqrt(2)
    return q * sqrt(models * (models + 1) / (6 * datasets))
