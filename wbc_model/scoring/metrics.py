"""The confusion matrix, of which all of the paper's scores are functions. Needs no torch."""

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

    def has(self, score: str) -> bool:
        """Whether there is such a score: the recall of a class wants an image of it."""
        counts = dict(zip(self.classes, self.counts, strict=True))
        return not score.startswith("recall/") or any(counts.get(score.removeprefix("recall/"), ()))

    @property
    def images(self) -> int:
        """All images."""
        return sum(map(sum, self.counts))

    @property
    def right(self) -> int:
        """Images that were called what they are."""
        return sum(row[i] for i, row in enumerate(self.counts))

    @property
    def accuracy(self) -> float:
        """OA: correct images over all images, in [0, 1]."""
        return self.scores()["accuracy"]

    def scores(self) -> dict[str, float]:
        """Every column of every table, in [0, 1]; `wbc_model.scoring.scores` has the formulas."""
        import numpy as np  # takes as long to load as half of a plan, which needs no scores

        from wbc_model.scoring.scores import scores

        return {name: float(value) for name, value in scores(np.ravel(self.counts), self.classes).items()}
