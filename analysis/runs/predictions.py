"""What a trial predicted for each test image, which every paired test is made from."""

from collections.abc import Callable

import numpy as np

from study.plan import RunRecord
from study.storage import predictions_file
from wbc_model.datasets.dataset import Dataset
from wbc_model.errors import InputError
from wbc_model.scoring.predictions import Predictions

PredictionsOf = Callable[[str, str | None], Predictions | None]
"""Gives the predictions of a trial, by its id, for a dataset's test images (None: its own), or None if it has none."""


def of_record(record: RunRecord, predictions: PredictionsOf, *, on: Dataset | None = None) -> Predictions | None:
    """The predictions behind a record's matrix on its own test images (`on=None`) or on another dataset's.

    Raises:
        InputError: their confusion matrix is not the record's, or a probability is NaN or infinite.
    """
    own = record.trial.config.dataset.name
    name = on.name if on else own
    test, elsewhere = record.tests.get(name), None if name == own else name
    found = predictions(record.trial.id, elsewhere) if test else None
    if test is None or found is None:
        return None
    if test != found.matrix:
        file = predictions_file(elsewhere)
        raise InputError(f"{file} of trial {record.trial.id} is not what its record counts: remove one of them")
    if not np.isfinite(found.probabilities).all():
        file = predictions_file(elsewhere)
        raise InputError(f"{file} of trial {record.trial.id} has probabilities that are not numbers: run it again")
    return found
