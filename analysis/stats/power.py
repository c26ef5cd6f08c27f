"""The minimum detectable difference: how much worse a row must be for 80 % of further tables to show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.stats.chance import Chance, Drawn, critical, freedom, normal, student

POWER = 0.8
STEPS = 4
"""Iterations to the difference of a table that is just shown, which enters its own variance."""
ROUNDS = 3
"""Iterations to the differences of all columns, as what one shows makes it easier for the others."""


class Limits:
    """Critical values of one row's differences; step-down leaves out columns that show it to be worse."""

    def __init__(self, of_row: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> None:
        """Take the deviates of drawn tables, of the row's pairs and of all others, each (draws, scores)."""
        self._of_row = np.max(of_row, axis=0)
        self._others = np.max([np.zeros(len(self._of_row)), *(one.max(1) for one in others)], axis=0)
        self._found: dict[int, float] = {}

    def after(self, shown: np.ndarray) -> np.ndarray:
        """The critical value (draws,) by the columns that have shown the row to be worse (draws, scores)."""
        bits = 2 ** np.arange(shown.shape[1])
        kinds, of = np.unique(shown @ bits, return_inverse=True)
        for kind in set(kinds.tolist()) - self._found.keys():
            left = np.where(kind & bits, 0, self._of_row).max(1)
            self._found[kind] = critical(np.maximum(left, self._others))
        return np.array([self._found[kind] for kind in kinds.tolist()])[of]


@dataclass(frozen=True, eq=False)
class WorseRow:
    """Tables drawn as by `chance`, but with row i worse than all others of its group, which are equally good.

    The true variance over seeds is drawn too, given its estimate here (the predictive power of Spiegelhalter, Freedman
    & Blackburn 1986): as each table estimates it anew, by this estimate alone fewer would show it. A worse row errs on
    more units, and so varies more over images than the equal rows that it is computed from.
    """

    chance: Chance
    i: int
    group: Sequence[int]
    limits: Limits

    def detectable(self) -> np.ndarray:
        """The differences (scores,), in all columns at once, of which each is shown by 80 % of further tables; infinite
        where fewer show any."""
        limits, before = self._limits(np.zeros(self._noise.shape)), np.inf
        for _ in range(ROUNDS):
            found = np.quantile(self._just_shown(limits), POWER, axis=0, method="higher")
            if np.allclose(found, before, rtol=0.01):
                break
            limits, before = self._limits(self._deviates(found)), found
        return found

    @cached_property
    def _noise(self) -> np.ndarray:
        """Further errors over images of a row that is worse by 1 (draws, scores)."""
        shape = self.chance.over_images[:, self.i].shape
        return self.chance.random(Drawn.WORSE_ROW).standard_normal(shape) * np.sqrt(self._more)

    @cached_property
    def _more(self) -> np.ndarray:
        """The variance over images of a row that is worse by 1, less that of an equal one (scores,)."""
        return self.chance.model.kept[self.i] / self.chance.model.weight

    @cached_property
    def _scatter(self) -> np.ndarray:
        """The true variance over seeds (draws, scores)."""
        return np.diag(self.chance.model.scatter) * self.chance.true

    def _variances(self, j: int, far: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Variances of the difference from row j over images and seeds as tables estimate them (draws, scores)."""
        chance, model, i = self.chance, self.chance.model, self.i
        n, df = model.seeds, model.df
        apart = far * (1 - model.kept[i]) / model.weight * n[i] / (n[i] - 1)  # over seeds, which err on other images
        images = model.over_images(i, j) + far * self._more - apart / n[i]
        pooled = (self._scatter * chance.ratio + apart * (n[i] - 1) / df) * (1 / n[i] + 1 / n[j])
        own = (self._scatter + apart) * chance.own[:, i] / n[i] + self._scatter * chance.own[:, j] / n[j]
        return images, np.maximum(pooled, own)

    def _just_shown(self, limits: np.ndarray) -> np.ndarray:
        """The difference that each table just shows (draws, scores), with the given deviates as limits."""
        wanted, errors = np.full(limits.shape, np.inf), self.chance.further_errors
        for j in self._others:
            far = np.zeros(limits.shape)
            for _ in range(STEPS):
                images, seeds = self._variances(j, far)
                limit = student(limits, freedom(images, seeds, self.chance.model.error_df)) * np.sqrt(images + seeds)
                far = np.clip(limit + errors[:, self.i] - errors[:, j] + self._noise * np.sqrt(far), 0, 1)
            np.fmin(wanted, np.where(far < 1, far, np.inf), out=wanted)
        return wanted

    def _deviates(self, far: np.ndarray) -> np.ndarray:
        """The largest difference of each column as a normal deviate (draws, scores); 0 where `far` is infinite."""
        largest, known = np.zeros(self._noise.shape), np.where(np.isfinite(far), far, 0)
        errors = self.chance.further_errors
        for j in self._others:
            images, seeds = self._variances(j, known)
            lead = known - errors[:, self.i] + errors[:, j] - self._noise * np.sqrt(known)
            t = np.maximum(lead, 0) / np.sqrt(images + seeds)
            np.maximum(largest, normal(t, freedom(images, seeds, self.chance.model.error_df)), out=largest)
        return np.where(np.isfinite(far), largest, 0)

    def _limits(self, deviates: np.ndarray) -> np.ndarray:
        """The deviate from which on each column is shown, by what the others show (draws, scores)."""
        found = np.empty(deviates.shape)
        for c in range(deviates.shape[1]):
            others = deviates.copy()
            others[:, c] = -np.inf
            limit = self.limits.after(np.zeros(deviates.shape, bool))
            for _ in range(deviates.shape[1] - 1):
                limit = self.limits.after(others >= limit[:, None])
            found[:, c] = limit
        return found

    @property
    def _others(self) -> list[int]:
        return [j for j in self.group if j != self.i]
