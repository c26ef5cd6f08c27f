"""A trial's model as an artifact of its W&B run."""

from contextlib import suppress
from pathlib import Path

import wandb

from study.plan import RunRecord, Trial
from study.storage import Storage, listed
from study.storage.paths import is_local
from study.tracking import wandb_run
from wbc_model.errors import Damaged
from wbc_model.inference.model_info import CARD, FILE

BYTES_PER_SECOND = 10**6
"""The slowest connection on which a model arrives before the run ends without it."""


def log_model(run: wandb.Run, record: RunRecord, storage: Storage) -> None:
    """Add the model in a trial's folder to its run, with the model card as its description; none if it kept none.

    All seeds of a config are versions of one artifact, `model-<config id>`: `seed-<n>` is that of a seed, and `best`
    that of the highest validation accuracy. An offline run refers to the file in the storage, where `wandb sync` finds
    it; if the storage is an object store, `study.reconcile --repair` brings it to the server instead.
    """
    files, trial = storage.trial(record.trial.id), record.trial
    content = files.read(FILE)
    if content is None or run.disabled:
        return
    path = Path(str(files.folder / FILE))
    if not is_local(files.folder):
        if run.offline:
            return
        path = Path(run.dir).parents[2] / FILE  # removed with the run's folder, of which only the log is kept
        path.write_bytes(content)
    artifact = wandb.Artifact(
        f"model-{trial.config.id}",
        type=wandb_run.MODEL,
        description=(files.read(CARD) or b"").decode(),
        metadata={
            "trial": trial.id,
            "seed": trial.seed,
            "dataset": trial.config.dataset.name,
            "validation_accuracy": record.validation.accuracy,
            "test_accuracy": record.test.accuracy,
            "rehearsal": trial.config.rehearsal,
        },
    )
    artifact.add_file(str(path), policy="immutable", skip_cache=True)
    best = ["best"] if is_best(trial, record.validation.accuracy, storage) else []
    with suppress(Exception):  # the client raises its own errors and others; `study.reconcile` tells, and repairs
        run.log_artifact(artifact, aliases=["latest", f"seed-{trial.seed}", *best])
        if not run.offline:
            artifact.wait(timeout=round(wandb_run.FLUSH_SECONDS + len(content) / BYTES_PER_SECOND))


def is_best(trial: Trial, accuracy: float, storage: Storage) -> bool:
    """Whether no other seed of the config that was trained to its end is better by validation; the first of equals is.

    Args:
        accuracy: the trial's highest validation accuracy.
    """
    for log in listed(storage.root, f"trials/{trial.config.id}-s*/epochs.jsonl"):
        seed, rows = int(log.parent.name.rpartition("-s")[2]), []
        with suppress(Damaged):
            rows = storage.trial(log.parent.name).epochs()
        if seed != trial.seed and len(rows) == trial.config.epochs:
            other = max(row["validation_accuracy"] for row in rows)
            if (other, -seed) > (accuracy, -trial.seed):
                return False
    return True
