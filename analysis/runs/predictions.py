"""What a trial called each test image: the ground of every paired test."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from study.plan import RunRecord
from study.storage import predictions_file
from wbc_model.datasets.dataset import Dataset
from wbc_model.errors import InputError
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


PredictionsOf = Callable[[str, str | None], Predictions | None]
"""By trial id, of its own test images (None) or another dataset's, by its name; None where a run has left none."""


def of_record(record: RunRecord, predictions: PredictionsOf, *, on: Dataset | None = None) -> Predictions | None:
    """A record's predictions of its own test images (None) or a dataset's, which must be those that it counts.

    Raises:
        InputError: they are another test's.
    """
    own = record.trial.config.dataset.name
    name = on.name if on else own
    test, elsewhere = record.tests.get(name), None if name == own else name
    found = predictions(record.trial.id, elsewhere) if test else None
    if test is None or found is None:
        return None
    if test != ConfusionMatrix.from_predictions(test.classes, truth=found.truth, predicted=found.called):
        file = predictions_file(elsewhere)
        raise InputError(f"{file} of trial {record.trial.id} is not what its record counts: remove one of them")
    return found
