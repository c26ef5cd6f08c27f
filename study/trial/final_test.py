"""The one look at the test sets, by the model of the best epoch, and the record of it."""

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from study.plan import RunRecord, Trial
from study.storage import predictions_file
from wbc_model.metrics import ConfusionMatrix
from wbc_model.preparation.cache import Prepared
from wbc_model.preparation.image_set import ImageSet
from wbc_model.training.predict import predict
from wbc_model.training.train import TrainState


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model called the images of a test set."""

    classes: tuple[str, ...]
    """The model's."""
    ids: np.ndarray
    """Names (N,)."""
    truth: np.ndarray
    """Indices of the true classes (N,)."""
    probabilities: np.ndarray
    """Of each of the model's classes (N, classes)."""

    @property
    def matrix(self) -> ConfusionMatrix:
        """The most probable class of each image against the truth."""
        return ConfusionMatrix.from_predictions(
            self.classes, truth=self.truth.tolist(), predicted=self.probabilities.argmax(1).tolist()
        )

    def npz(self) -> bytes:
        """For paired tests: ids, true classes and probabilities, in one order."""
        file = io.BytesIO()
        np.savez_compressed(file, ids=self.ids, truth=self.truth, probabilities=self.probabilities)
        return file.getvalue()


def look(model: nn.Module, images: ImageSet, *, classes: tuple[str, ...], device: str) -> Answers:
    """A model's calls of those images whose true class is among its own: of the others it could call none right."""
    probabilities = predict(model, images, device=device)
    truth = np.array([classes.index(cell) if cell in classes else -1 for cell in images.cells])[images.labels]
    known = truth >= 0
    return Answers(classes, np.array(images.ids)[known], truth[known], probabilities[known])


def conclude(
    trial: Trial,
    model: nn.Module,
    sets: Mapping[str, Prepared],
    state: TrainState,
    rows: list[dict[str, Any]],
    *,
    made_from: dict[str, Any],
    device: str,
) -> tuple[RunRecord, dict[str, Answers]]:
    """Test a model, which has its best weights, on every dataset of `sets`: the record, and what is behind it.

    Args:
        rows: the epochs' log.
    """
    started = time.perf_counter()
    own, classes = trial.config.dataset.name, trial.config.dataset.classes
    tests = {name: look(model, data.sets["test"], classes=classes, device=device) for name, data in sets.items()}
    validation = look(model, sets[own].sets["validation"], classes=classes, device=device)
    record = RunRecord(
        trial=trial,
        best_epoch=state.best_epoch,
        validation=validation.matrix,
        test=tests[own].matrix,
        curves=rows,
        seconds=sum(row["seconds"] for row in rows) + time.perf_counter() - started,
        provenance=made_from,
        elsewhere={name: tested.matrix for name, tested in tests.items() if name != own},
    )
    return record, tests


def npz_files(tests: Mapping[str, Answers], *, own: str) -> dict[str, bytes]:
    """The files of predictions by name."""
    return {predictions_file(None if name == own else name): tested.npz() for name, tested in tests.items()}
