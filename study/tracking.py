"""Each trial's W&B run. The trial writes it itself: Ray's W&B callback loses runs without a word."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast, get_args

import numpy as np
import wandb

from study.plan import RunRecord, Trial
from study.settings import Settings, Tracking
from study.storage import Storage
from study.wandb_log import is_complete
from wbc_model.config import flatten

FLUSH_SECONDS = 60


def mode(*, offline: bool) -> Tracking:
    """W&B's mode: WANDB_MODE where it is set, else online with an API key and offline without one.

    Args:
        offline: stay offline even with a key.

    Raises:
        ValueError: WANDB_MODE is none of the three.
    """
    if named := os.environ.get("WANDB_MODE"):
        if named not in get_args(Tracking):
            raise ValueError(f"WANDB_MODE={named}: wanted one of {', '.join(get_args(Tracking))}")
        return cast(Tracking, named)
    has_key = not offline and wandb.login(prompt=False)
    return "online" if has_key else "offline"


@contextmanager
def tracked(trial: Trial, settings: Settings) -> Iterator[wandb.Run]:
    """The trial's run, its id the trial's: finished when the block ends, failed when it raises.

    W&B writes to a local folder; the closed run's files are then copied to storage, whole.
    """
    with tempfile.TemporaryDirectory(prefix="wbc-wandb-") as folder:
        run = _start(trial, settings, folder=folder)
        exit_code = 1
        try:
            yield run
            exit_code = 0
        finally:
            run.finish(exit_code=exit_code)
            for log in Path(folder).glob(f"wandb/*run-*/run-{trial.id}.wandb"):
                _await(log)
                Storage(settings.storage).add_run(log.parent, trial_id=trial.id)


def _await(log: Path) -> None:
    """Wait until the closed run is in its file: `finish` returns before, at times with nothing written yet.

    Raises:
        TimeoutError: W&B did not write it.
    """
    deadline = time.monotonic() + FLUSH_SECONDS
    while not is_complete(log):
        if time.monotonic() > deadline:
            raise TimeoutError(f"W&B has not written the end of the run to {log} in {FLUSH_SECONDS} s")
        time.sleep(0.01)


def _start(trial: Trial, settings: Settings, *, folder: str) -> wandb.Run:
    return wandb.init(
        id=trial.id,
        name=f"{trial.name} seed={trial.seed}",
        project=settings.project,
        entity=settings.entity,
        group=trial.config.dataset,
        job_type="rehearsal" if trial.config.rehearsal else "trial",
        tags=[f"table {number}" for number in trial.tables],
        config={"trial": trial.to_json(), "seed": trial.seed} | flatten(trial.config.to_json()),
        dir=folder,
        mode=settings.tracking,
        resume="allow" if settings.tracking == "online" else None,
        settings=wandb.Settings(silent=True, console="off"),
    )


def summarise(run: wandb.Run, record: RunRecord) -> None:
    """Put every table column and the whole record into the run's summary."""
    scores = {f"test/{name}": value for name, value in record.test.scores().items()}
    run.summary.update(
        {"record": json.dumps(record.to_json()), "best_epoch": record.best_epoch, "seconds": record.seconds}
        | scores
        | {"validation/accuracy": record.validation.accuracy}
    )


def show(run: wandb.Run, name: str, picture: np.ndarray, *, epoch: int) -> None:
    """Put an RGB picture (H, W, 3) beside an epoch's numbers."""
    run.log({name: wandb.Image(picture)}, step=epoch)
