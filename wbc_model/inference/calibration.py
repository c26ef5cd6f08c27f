"""How sure a model is: a temperature and a threshold, both chosen on its validation images."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from wbc_model.inference.model_info import Calibration

TARGET = 0.99
"""Fraction of the sure calls that should be right."""
LEAST = 0.5
"""The lowest threshold: below it, the other classes together are as probable as the one that is called."""
BOUNDS = (1e-2, 1e2)
"""Of the temperature."""
Probabilities = NDArray[np.floating]
"""Of each class (N, classes); each row sums to 1."""
Labels = NDArray[np.integer]
"""True classes (N,), as indices."""
BINS = 15
"""Of the expected calibration error, as in Guo et al. 2017."""


def calibrate(probabilities: Probabilities, truth: Labels) -> Calibration:
    """The temperature and threshold of a model, from what it predicts for its validation images.

    Args:
        probabilities: its softmax, uncalibrated.
    """
    temperature = fit_temperature(probabilities, truth)
    calibrated = apply_temperature(probabilities, temperature)
    threshold = choose_threshold(calibrated, truth)
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        error_before=calibration_error(probabilities, truth),
        error_after=calibration_error(calibrated, truth),
        unsure=float((calibrated.max(1) < threshold).mean()),
    )


def apply_temperature(probabilities: Probabilities, temperature: float) -> Probabilities:
    """The softmax of the logits divided by the temperature; logarithms of probabilities serve as logits."""
    return softmax(_logits(probabilities) / temperature, axis=1)


def fit_temperature(probabilities: Probabilities, truth: Labels) -> float:
    """The most probable temperature (Guo et al. 2017), if its logarithm is normal with mean 0 and SD 1 beforehand.

    The prior counts for as little as one image in hundreds. It keeps the temperature finite where every image is
    classified correctly or there are few, for which the likelihood alone may have no maximum.
    """
    logits, each = _logits(probabilities), np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        likelihoods = log_softmax(logits / np.exp(log_temperature), axis=1)[each, truth]
        return log_temperature**2 / 2 - likelihoods.sum()

    return float(np.exp(minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded").x))


def choose_threshold(calibrated: Probabilities, truth: Labels) -> float:
    """The lowest threshold, from `LEAST` up, at which at least `TARGET` of the sure calls are right.

    Where no threshold achieves that, it is `TARGET` itself: the calibrated probability that a call is right.
    """
    sureness, right = calibrated.max(1), calibrated.argmax(1) == truth
    for threshold in np.unique([LEAST, *sureness[sureness > LEAST]]):
        sure = sureness >= threshold
        if sure.any() and right[sure].mean() >= TARGET:
            return float(threshold)
    return TARGET


def calibration_error(probabilities: Probabilities, truth: Labels) -> float:
    """Expected calibration error: how far confidence is from accuracy, on average over bins of equal width (ECE)."""
    sureness, right = probabilities.max(1), probabilities.argmax(1) == truth
    bins = bins_of(sureness)
    gaps = np.bincount(bins, weights=right - sureness, minlength=BINS)
    return float(np.abs(gaps).sum() / len(truth))


def bins_of(sureness: NDArray[np.floating]) -> NDArray[np.integer]:
    """Which of the `BINS` bins of equal width each probability (N,) is in."""
    return np.minimum((sureness * BINS).astype(int), BINS - 1)


def _logits(probabilities: Probabilities) -> Probabilities:
    """Their logarithms; a probability of 0 is what float32 makes of one below its smallest."""
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny).astype(np.float64))
