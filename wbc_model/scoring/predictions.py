"""What a model predicts for the images of a test set, and the file that keeps it."""

import io
from dataclasses import dataclass

import numpy as np

from wbc_model.scoring.metrics import ConfusionMatrix


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """One entry an image, in the same order throughout."""

    classes: tuple[str, ...]
    """The classes that the model knows."""
    ids: np.ndarray
    """Names of the images (N,)."""
    truth: np.ndarray
    """True classes, as indices into `classes` (N,)."""
    probabilities: np.ndarray
    """Of each class (N, classes)."""

    @property
    def called(self) -> np.ndarray:
        """The most probable class of each image, as an index into `classes` (N,)."""
        return self.probabilities.argmax(1)

    @property
    def matrix(self) -> ConfusionMatrix:
        return ConfusionMatrix.from_predictions(self.classes, truth=self.truth.tolist(), predicted=self.called.tolist())

    def to_npz(self) -> bytes:
        """The content of `predictions.npz`: every array by its name. The classes are in the run's record."""
        file = io.BytesIO()
        np.savez_compressed(file, ids=self.ids, truth=self.truth, probabilities=self.probabilities)
        return file.getvalue()

    @classmethod
    def from_npz(cls, content: bytes, *, classes: tuple[str, ...]) -> "Predictions":
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return cls(classes=classes, **{name: arrays[name] for name in ("ids", "truth", "probabilities")})
