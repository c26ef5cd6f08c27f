"""Nemenyi's test of mean ranks."""

from math import sqrt

import numpy as np
from scipy.stats import studentized_range


def critical_difference(models: int, datasets: int) -> float:
    """Nemenyi's critical difference: mean ranks farther apart than this differ significantly at 5 %."""
    q = float(studentized_range.ppf(0.95, models, np.inf)) / sqrt(2)
    return q * sqrt(models * (models + 1) / (6 * datasets))
