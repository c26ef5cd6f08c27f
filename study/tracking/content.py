"""What is put into a trial's W&B run: where it comes from, its epochs, its scores, and what stands behind them."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import wandb
from wandb import Run

from study.plan import RunRecord
from study.provenance import changes
from study.storage import predictions_file
from wbc_model.predictions import Predictions


def tell_origin(run: Run, made_from: dict[str, Any]) -> None:
    """Put code, packages, data, weights and machine into the run's config, and what is not committed beside it."""
    run.config.update({"provenance": made_from}, allow_val_change=True)
    if patch := changes():
        _add_file(run, "changes.patch", patch.encode())


def log_again(run: Run, rows: Sequence[Mapping[str, float]]) -> None:
    """Log epochs that were done before; a run that goes on online has the first of them."""
    for row in rows:
        if (epoch := int(row["epoch"])) >= run.starting_step:
            run.log(dict(row), step=epoch)


def summarise(run: Run, record: RunRecord, *, predictions: Mapping[str, bytes], picture: np.ndarray | None) -> None:
    """Put every table column and the whole record into the run's summary, and what stands behind them beside it.

    Args:
        predictions: the content of `predictions.npz` and its like, by name: files of the run.
        picture: heat maps (H, W, 3).
    """
    for name, content in predictions.items():
        _add_file(run, name, content)
    last = len(record.curves) - 1
    if picture is not None:
        run.log({"gradcam": wandb.Image(picture)}, step=last)
    if not run.offline:  # a table is an artifact, and that of an offline run stays on its node
        with suppress(wandb.errors.Error):  # it asks the server, which may not answer; files and summary have it all
            run.log({"confusion_matrix": _matrix(record), "predictions": _rows(record, predictions)}, step=last)
    scores = {f"test/{name}": value for name, value in record.test.scores().items()}
    if record.elsewhere:
        tests = {dataset: matrix.scores() for dataset, matrix in record.tests.items()}
        scores |= {f"test/{dataset}/{name}": value for dataset, each in tests.items() for name, value in each.items()}
    run.summary.update(
        {"record": json.dumps(record.to_json()), "best_epoch": record.best_epoch, "seconds": record.seconds}
        | scores
        | {"validation/accuracy": record.validation.accuracy, "test/confusion": [list(r) for r in record.test.counts]}
    )


def _add_file(run: Run, name: str, content: bytes) -> None:
    file = Path(run.dir) / name
    file.write_bytes(content)
    run.save(str(file), base_path=run.dir, policy="now")


def _matrix(record: RunRecord) -> wandb.Table:
    """Rows: the true class; columns: the predicted."""
    classes = list(record.test.classes)
    rows = [[cell, *counts] for cell, counts in zip(classes, record.test.counts, strict=True)]
    return wandb.Table(columns=["truth", *classes], data=np.array(rows, dtype=object))


def _rows(record: RunRecord, predictions: Mapping[str, bytes]) -> wandb.Table:
    """A row a test image."""
    cells = record.test.classes
    own = Predictions.from_npz(predictions[predictions_file()], classes=cells)
    rows = [
        [str(name), cells[true], cells[called], *map(float, row)]
        for name, true, called, row in zip(own.ids, own.truth, own.called, own.probabilities, strict=True)
    ]
    return wandb.Table(columns=["image", "truth", "predicted", *cells], data=np.array(rows, dtype=object))
