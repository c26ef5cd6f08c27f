"""A test set, and how much each of its independent units moves a score (the delta method).

The independent units are single images, or all images of one photographed cell where images are copies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wbc_model.scoring.scores import Scores, scores

STEP = 1e-3
"""Images that are added to and taken from an entry of a confusion matrix to find the slope of a score."""


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """A test set."""

    ids: np.ndarray
    """Names (N,)."""
    truth: np.ndarray
    """Indices of the true classes (N,)."""
    cells: tuple[str, ...]
    units: np.ndarray
    """Index of the unit of each image (N,), from 0."""

    @property
    def n_units(self) -> int:
        return int(self.units.max()) + 1

    @property
    def grouped(self) -> bool:
        return self.n_units < len(self.ids)

    @cached_property
    def units_by_class(self) -> np.ndarray:
        """Units of each class (classes,), by the class of their first image."""
        first = np.unique(self.units, return_index=True)[1]
        return np.bincount(self.truth[first], minlength=len(self.cells))

    def has(self, score: str) -> bool:
        """Whether the images have a score: the recall of a class wants an image of it."""
        name = score.removeprefix("recall/")
        return name == score or (name in self.cells and self.units_by_class[self.cells.index(name)] > 0)

    def weight(self, score: str) -> float:
        """The number of units that a score is the share of; of a macro score, as many as would be if it were one.

        The mean of the recalls of k classes with n units each varies as a share of k^2 / sum(1 / n) units does.
        """
        if score == "accuracy":
            return float(self.n_units)
        if score.startswith("recall/"):
            return float(self.units_by_class[self.cells.index(score.removeprefix("recall/"))])
        there = self.units_by_class[self.units_by_class > 0]
        return float(len(there) ** 2 / (1 / there).sum())

    def matrices(self, called: np.ndarray) -> np.ndarray:
        """Flattened confusion matrices (..., classes * classes), from predicted classes (..., N)."""
        k = len(self.cells)
        flat = called.reshape(-1, called.shape[-1])
        found = [np.bincount(self.truth * k + one, minlength=k * k) for one in flat]
        return np.array(found).reshape(*called.shape[:-1], k * k)

    def influences(self, called: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """The first-order effect of each unit on each score (..., scores, units), from predicted classes (..., N).

        The sum of their squares estimates the variance of a score over test sets (Huber 1981; the infinitesimal
        jackknife). Each unit's effects sum those of its images.
        """
        slopes = _slopes(self.matrices(called), self.cells, names)  # (..., scores, classes^2)
        entry = self.truth * len(self.cells) + called
        effects = np.take_along_axis(slopes, entry[..., None, :], axis=-1)
        if not self.grouped:
            return effects[..., np.argsort(self.units)]
        order = np.argsort(self.units, kind="stable")
        starts = np.unique(self.units[order], return_index=True)[1]
        return np.add.reduceat(effects[..., order], starts, axis=-1)


def _slopes(counts: np.ndarray, cells: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """The change of each score per image in each entry of a confusion matrix (..., scores, classes * classes)."""
    step = STEP * np.eye(counts.shape[-1])
    more, fewer = (_chosen(scores(counts[..., None, :] + s, cells), names) for s in (step, -step))
    return (more - fewer) / (2 * STEP)


def _chosen(found: Scores, names: Sequence[str]) -> np.ndarray:
    return np.stack([found[name] for name in names], axis=-2)
