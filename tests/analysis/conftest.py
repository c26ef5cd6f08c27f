"""Runs as data: `make_record` builds one in a line, `write_run` leaves its W&B files as a trial does."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.plan import RunRecord, Trial
from study.settings import Settings
from study.tracking.content import summarise
from study.tracking.wandb_run import tracked
from wbc_model.config import TrialConfig
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.scoring.predictions import Predictions

MakeRecord = Callable[..., RunRecord]


@pytest.fixture(scope="session")
def make_record() -> MakeRecord:
    def make(
        config: TrialConfig,
        seed: int = 0,
        *,
        counts: Sequence[Sequence[int]] | None = None,
        overrides: dict[str, Any] | None = None,
        provenance: dict[str, Any] | None = None,
    ) -> RunRecord:
        """A finished run, by default one that calls every image right."""
        cells = config.dataset.classes
        counts = counts or [[10 * (i == j) for j in range(len(cells))] for i in range(len(cells))]
        matrix = ConfusionMatrix(cells, tuple(map(tuple, counts)))
        return RunRecord(
            trial=Trial(config, seed, ("4",), overrides or {}),
            best_epoch=0,
            validation=matrix,
            test=matrix,
            curves=[],
            seconds=1.0,
            provenance=provenance or {},
        )

    return make


def predictions_of(record: RunRecord) -> bytes:
    """A `predictions.npz` that the record's counts are those of."""
    n = len(record.test.classes)
    calls = [(i, j) for i in range(n) for j in range(n) for _ in range(record.test.counts[i][j])]
    truth, called = np.array(calls).T
    ids = np.array([f"{i}.png" for i in range(len(truth))])
    probabilities = np.eye(n, dtype=np.float32)[called]
    return Predictions(classes=record.test.classes, ids=ids, truth=truth, probabilities=probabilities).to_npz()


@pytest.fixture
def save_predictions() -> Callable[[RunRecord], bytes]:
    return predictions_of


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    def write(storage: Path, record: RunRecord, *, fails: bool = False) -> Path:
        """Track one trial with real, offline W&B, as a trial does; returns its `.wandb` file in storage.

        One that fails does so when its record is in the summary already.
        """
        settings = Settings(data=tmp_path, storage=str(storage), cache=tmp_path, tracking="offline")
        try:
            with tracked(record.trial, settings) as run:
                run.log({"epoch": 0, "train/loss": 1.0}, step=0)
                summarise(run, record, predictions={"predictions.npz": predictions_of(record)}, picture=None)
                if fails:
                    raise InterruptedError
        except InterruptedError:
            assert fails
        (file,) = storage.glob(f"wandb/offline-run-*-{record.trial.id}/run-{record.trial.id}.wandb")
        return file

    return write
