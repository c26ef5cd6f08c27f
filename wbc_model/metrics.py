"""The paper's scores, all functions of one confusion matrix. Needs no torch."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class ConfusionMatrix:
    """Counts of test images: `counts[i][j]` images of `classes[i]` were called `classes[j]`."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        n = len(self.classes)
        if len(self.counts) != n or any(len(row) != n for row in self.counts):
            raise ValueError(f"{n} classes want {n} x {n} counts, got rows of {[len(row) for row in self.counts]}")

    @classmethod
    def from_predictions(
        cls, classes: tuple[str, ...], *, truth: Iterable[int], predicted: Iterable[int]
    ) -> "ConfusionMatrix":
        """Count pairs of class indices."""
        counts = [[0] * len(classes) for _ in classes]
        for true, guess in zip(truth, predicted, strict=True):
            counts[true][guess] += 1
        return cls(classes, tuple(map(tuple, counts)))

    @property
    def accuracy(self) -> float:
        """OA: correct images over all images, in [0, 1]."""
        total = sum(map(sum, self.counts))
        return _ratio(sum(self.counts[i][i] for i in range(len(self.classes))), total)

    def scores(self) -> dict[str, float]:
        """Every column of every table, in [0, 1].

        `macro_f1` is the mean of the per-class F1: it reproduces Tables 4-11. `macro_f1_eq6`, the harmonic mean of
        macro precision and macro recall, is what the paper's Eq. (6) says; it reproduces none of their rows. A class
        that is never predicted has precision 0; one that never occurs has recall 0 and is in no macro mean.
        """
        recalls = [_ratio(row[i], sum(row)) for i, row in enumerate(self.counts)]
        precisions = [_ratio(column[i], sum(column)) for i, column in enumerate(zip(*self.counts, strict=True))]
        f1 = [_harmonic(p, r) for p, r in zip(precisions, recalls, strict=True)]
        occurs = [any(row) for row in self.counts]
        precision, recall = _mean(precisions, occurs), _mean(recalls, occurs)
        return {
            "accuracy": self.accuracy,
            "macro_precision": precision,  # Eq. (4)
            "macro_recall": recall,  # Eq. (5)
            "macro_f1": _mean(f1, occurs),
            "macro_f1_eq6": _harmonic(precision, recall),  # Eq. (6)
        } | {f"recall/{cell}": recall for cell, recall in zip(self.classes, recalls, strict=True)}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _mean(values: list[float], counted: list[bool]) -> float:
    return _ratio(sum(value for value, counts in zip(values, counted, strict=True) if counts), sum(counted))


def _harmonic(a: float, b: float) -> float:
    return _ratio(2 * a * b, a + b)
