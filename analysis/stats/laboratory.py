"""How a laboratory judges a classifier: agreement beyond chance, calibration, ROC and precision-recall curves, and
agreement of differential counts.

Pure functions of what a trial predicted. The expected calibration error is `wbc_model.inference.calibration`'s;
balanced accuracy, the mean of the recalls (Brodersen et al. 2010, ICPR), is the tables' AR.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PREVALENCE = {"basophil": 0.005, "eosinophil": 0.03, "monocyte": 0.06, "lymphocyte": 0.32, "neutrophil": 0.585}
"""Shares of the five types in an adult's blood: an assumption, within the usual reference ranges."""
CELLS = 100
"""Cells that are counted on a slide."""
REACH = 1.96
"""Limits of agreement are so many standard deviations from the bias."""


def kappa(counts: np.ndarray) -> float:
    """Cohen's kappa (1960, Educ Psychol Meas 20:37) of a confusion matrix (classes, classes); 1 where all is one class.

    It is (p_o - p_e) / (1 - p_e): the share of agreement beyond that of calls made at random with the same totals.
    """
    shares = counts / counts.sum()
    agreed, by_chance = np.trace(shares), float(shares.sum(0) @ shares.sum(1))
    return 1.0 if by_chance == 1 else float((agreed - by_chance) / (1 - by_chance))


def brier(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The Brier score (1950, Mon Weather Rev 78:1), in [0, 2]: the mean over images of the squared errors, summed over
    the classes, of the probabilities (N, classes) of true classes (N,)."""
    wanted = np.eye(probabilities.shape[1])[truth]
    return float(((probabilities - wanted) ** 2).sum(1).mean())


@dataclass(frozen=True, eq=False)
class Detection:
    """How well the probability of one class picks out its images: at each threshold, from above all to below all."""

    recall: np.ndarray
    """Of the class (thresholds + 1,): the share of its images whose probability reaches the threshold; 0 at first."""
    false_positives: np.ndarray
    """The share of the other images (thresholds + 1,) whose probability reaches it; 0 at first."""
    precision: np.ndarray
    """The share of the class among the images that reach it (thresholds + 1,); 1 at first, where there is none."""

    @property
    def area(self) -> float:
        """Under the ROC curve: the chance that an image of the class has a higher probability than one of another
        (Hanley & McNeil 1982, Radiology 143:29)."""
        return float(np.trapezoid(self.recall, self.false_positives))

    @property
    def average_precision(self) -> float:
        """The mean of the precision, weighted by the gain in recall at each threshold."""
        return float(np.diff(self.recall) @ self.precision[1:])


def detection(probabilities: np.ndarray, truth: np.ndarray, label: int) -> Detection | None:
    """Of one class against all others; None if all images (N,) are of it, or none is.

    Args:
        probabilities: of each class (N, classes).
        truth: true classes (N,).
    """
    order = np.argsort(-probabilities[:, label], kind="stable")
    scores, mine = probabilities[order, label], truth[order] == label
    if mine.all() or not mine.any():
        return None
    last = np.append(scores[1:] != scores[:-1], True)  # of the images that share a probability
    found, others = np.cumsum(mine)[last], np.cumsum(~mine)[last]
    recall, false_positives = found / found[-1], others / others[-1]
    return Detection(np.append(0, recall), np.append(0, false_positives), np.append(1, found / (found + others)))


@dataclass(frozen=True, eq=False)
class Agreement:
    """Bias and limits of agreement of called minus true counts (Bland & Altman 1986, Lancet 327:307), each (classes,).

    In percentage points of the cells on a slide.
    """

    bias: np.ndarray
    sd: np.ndarray

    @property
    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Between these, 95 % of slides are expected."""
        return self.bias - REACH * self.sd, self.bias + REACH * self.sd


def prevalence_of(classes: Sequence[str]) -> np.ndarray:
    """The assumed shares of some classes (classes,), scaled to a sum of 1; 0 for what is none of the five types."""
    shares = np.array([PREVALENCE.get(name, 0.0) for name in classes])
    return shares / shares.sum()


def slides(counts: np.ndarray, prevalence: np.ndarray, *, n: int, seed: int) -> np.ndarray:
    """Called minus true shares of each class on resampled slides (n, classes), in percentage points.

    A slide has `CELLS` cells, whose true classes are drawn by prevalence. For each, a test image of its class is drawn
    with replacement, and what it was called is counted.

    Args:
        counts: the confusion matrix (classes, classes), true classes in rows; each that occurs on slides has images.
        prevalence: of each class (classes,).
    """
    rng = np.random.default_rng(seed)
    true = rng.multinomial(CELLS, prevalence, size=n)
    rates = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    called = sum(rng.multinomial(true[:, i], rates[i]) for i in range(len(rates)) if prevalence[i])
    return 100 * (called - true) / CELLS


def agreement(differences: np.ndarray) -> Agreement:
    """Bias and standard deviation of the differences (slides, classes) of counts."""
    return Agreement(differences.mean(0), differences.std(0, ddof=1))
