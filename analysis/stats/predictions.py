"""The predicted classes of rows, with the test images in one order."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.runs.predictions import PredictionsOf, of_record
from analysis.stats.images import LabelledImages
from analysis.tables.fill import Row
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import Dataset

Photographs = Mapping[str, str]
"""By image id, the photographed cell that the image is a copy of (BCCD)."""


@dataclass(frozen=True, eq=False)
class RowPredictions:
    """The classes that a row's trials predicted for the test images."""

    config: TrialConfig
    images: LabelledImages
    """In the order of their names."""
    called: np.ndarray
    """Index of the predicted class of each image (seeds, N)."""


class PredictionLookup:
    """The predictions of rows; a row that is in several tables is read once."""

    def __init__(self, predictions: PredictionsOf, photographs: Photographs) -> None:
        self._predictions, self._photographs = predictions, photographs
        self._known: dict[tuple[Dataset | None, tuple[str, ...]], RowPredictions | str] = {}

    def of(self, row: Row, *, on: Dataset | None = None) -> RowPredictions | str:
        """A row's predictions, or the reason why it has none that could be tested.

        Args:
            on: the dataset whose test images are meant; None: the row's own.

        Raises:
            InputError: predictions contradict the confusion matrix of their record.
        """
        key = on, tuple(run.trial.id for run in row.runs)
        if key not in self._known:
            self._known[key] = self._read(row, on)
        return self._known[key]

    def _read(self, row: Row, on: Dataset | None) -> RowPredictions | str:
        found = {run.trial.seed: of_record(run, self._predictions, on=on) for run in row.runs}
        if lost := [str(seed) for seed, one in found.items() if one is None]:
            return f"no predictions of seed {', '.join(lost)}"
        every = [one for one in found.values() if one]
        if not every:
            return "no run"
        orders = [np.argsort(one.ids) for one in every]
        ids, truth = every[0].ids[orders[0]], every[0].truth[orders[0]]
        if not all(np.array_equal(one.ids[order], ids) for one, order in zip(every, orders, strict=True)):
            return "its seeds were tested on different images"
        called = np.stack([one.called[order] for one, order in zip(every, orders, strict=True)])
        names = list(map(str, ids))
        units = np.unique([self._photographs.get(name, name) for name in names], return_inverse=True)[1]
        return RowPredictions(row.config, LabelledImages(ids, truth, row.runs[0].test.classes, units), called)
