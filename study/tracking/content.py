"""The content of a trial's W&B run: its provenance, epochs, scores, record and files."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import wandb

from study.plan import RunRecord
from study.provenance import changes
from study.storage import predictions_file
from wbc_model.scoring.predictions import Predictions


def log_provenance(run: wandb.Run, provenance: dict[str, Any]) -> None:
    """Put the provenance into the run's config; uncommitted changes of the code become a file of the run."""
    run.config.update({"provenance": provenance}, allow_val_change=True)
    if patch := changes():
        _add_file(run, "changes.patch", patch.encode(errors="surrogateescape"))


def log_again(run: wandb.Run, rows: Sequence[Mapping[str, float]]) -> None:
    """Log epochs of earlier attempts, except those that a resumed online run has already."""
    for row in rows:
        if (epoch := int(row["epoch"])) >= run.starting_step:
            run.log(dict(row), step=epoch)


def summarise(
    run: wandb.Run, record: RunRecord, *, predictions: Mapping[str, bytes], picture: np.ndarray | None
) -> bool:
    """Put every column of the tables and the whole record into the run's summary, and add its files.

    Args:
        predictions: the content of `predictions.npz` and the like, by file name.
        picture: heat maps (H, W, 3).

    Returns:
        Whether the server, if the run is online, still answers.
    """
    answers = run.offline
    for name, content in predictions.items():
        _add_file(run, name, content)
    last = len(record.curves) - 1
    if picture is not None:
        run.log({"gradcam": wandb.Image(picture)}, step=last)
    if not run.offline:  # a table is an artifact, which an offline run would leave on its node
        with suppress(wandb.errors.Error):  # the server may not answer; files and summary hold the same
            rows = {"predictions": _rows(record, predictions)} if predictions_file() in predictions else {}
            run.log({"confusion_matrix": _matrix(record)} | rows, step=last)
            answers = True
    scores = {f"test/{name}": value for name, value in record.test.scores().items()}
    if record.elsewhere:
        tests = {dataset: matrix.scores() for dataset, matrix in record.tests.items()}
        scores |= {f"test/{dataset}/{name}": value for dataset, each in tests.items() for name, value in each.items()}
    run.summary.update(
        {"record": json.dumps(record.to_json()), "best_epoch": record.best_epoch, "seconds": record.seconds}
        | scores
        | {"validation/accuracy": record.validation.accuracy, "test/confusion": [list(r) for r in record.test.counts]}
    )
    return answers


def _add_file(run: wandb.Run, name: str, content: bytes) -> None:
    if run.disabled:  # it has no folder
        return
    file = Path(run.dir) / name
    file.write_bytes(content)
    run.save(str(file), base_path=run.dir, policy="now")


def _matrix(record: RunRecord) -> wandb.Table:
    """The confusion matrix: a row per true class, a column per predicted class."""
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
