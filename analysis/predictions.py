"""What a trial called each test image: the ground of every paired test."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from study.plan import RunRecord
from wbc_model.metrics import ConfusionMatrix


@dataclass(frozen=True, eq=False)
class Predictions:
    """Of the test images, in one order."""

    ids: np.ndarray
    """Names (N,)."""
    truth: np.ndarray
    """True classes (N,), as indices in the order of the record's classes."""
    probabilities: np.ndarray
    """Of each class (N, classes)."""

    @property
    def called(self) -> np.ndarray:
        """The class each image was called (N,)."""
        return self.probabilities.argmax(1)

    @classmethod
    def from_npz(cls, content: bytes) -> "Predictions":
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return cls(arrays["ids"], arrays["truth"], arrays["probabilities"])


PredictionsOf = Callable[[str], Predictions | None]
"""By trial id; None where a run has left none."""


def of_record(record: RunRecord, predictions: PredictionsOf) -> Predictions | None:
    """A record's predictions, which must be those that it counts.

    Raises:
        ValueError: they are another test's.
    """
    found = predictions(record.trial.id)
    if found is None:
        return None
    counted = ConfusionMatrix.from_predictions(record.test.classes, truth=found.truth, predicted=found.called)
    if counted != record.test:
        raise ValueError(
            f"predictions.npz of trial {record.trial.id} is not what its record counts: remove one of them"
        )
    return found
