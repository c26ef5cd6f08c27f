"""The only use of the test sets: the model of the best epoch is tested, and the result becomes the record."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from study.plan import RunRecord, Trial
from study.storage import predictions_file
from wbc_model.preparation.cache import Prepared
from wbc_model.scoring.predictions import Predictions
from wbc_model.training.predict import predict_known
from wbc_model.training.train import TrainState


@dataclass(frozen=True)
class FinalTest:
    """A record, and the predictions behind its matrices."""

    record: RunRecord
    validation: Predictions
    tests: Mapping[str, Predictions]
    """By the dataset's name."""

    def npz_files(self) -> dict[str, bytes]:
        """The content of each file of predictions of test images, by file name."""
        own = self.record.trial.config.dataset.name
        return {predictions_file(None if name == own else name): tested.to_npz() for name, tested in self.tests.items()}


def final_test(
    trial: Trial,
    model: nn.Module,
    sets: Mapping[str, Prepared],
    state: TrainState,
    rows: list[dict[str, Any]],
    *,
    made_from: dict[str, Any],
    device: str,
) -> FinalTest:
    """Test a model on every dataset of `sets`.

    Args:
        model: with the weights of the best epoch.
        sets: the trial's own dataset, and the others it is tested on.
        rows: the epochs' log.
    """
    started = time.perf_counter()
    own = trial.config.dataset
    ask = partial(predict_known, model, classes=own.classes, device=device)
    tests = {name: ask(data.sets["test"]) for name, data in sets.items()}
    validation = ask(sets[own.name].sets["validation"])
    record = RunRecord(
        trial=trial,
        best_epoch=state.best_epoch,
        validation=validation.matrix,
        test=tests[own.name].matrix,
        curves=rows,
        seconds=sum(row["seconds"] for row in rows) + time.perf_counter() - started,
        provenance=made_from,
        elsewhere={name: tested.matrix for name, tested in tests.items() if name != own.name},
    )
    return FinalTest(record, validation, tests)
