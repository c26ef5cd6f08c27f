"""Each trial's W&B run. The trial writes it itself: Ray's W&B callback loses runs without a word."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast, get_args

import wandb

from study.plan import Trial
from study.provenance import ROOT
from study.settings import Settings, Tracking
from study.storage import Storage
from study.tracking.comparison import Replica
from study.tracking.log_reader import is_complete
from wbc_model.errors import InputError

Run = wandb.Run

FLUSH_SECONDS = 60
"""That W&B has to write, and online to send, the end of a run."""
PRIVATE = ("WANDB_SERVICE", "WANDB_MODE", "WANDB_DIR", "WANDB_RUN_ID", "WANDB_RESUME", "WANDB_NAME", "WANDB_RUN_GROUP")
"""What is one process's or one run's, or told to each run anyway."""


def mode(*, offline: bool) -> Tracking:
    """W&B's mode: WANDB_MODE where it is set, else online with an API key and offline without one.

    Args:
        offline: stay offline even with a key.

    Raises:
        InputError: WANDB_MODE is none of the three.
    """
    if named := os.environ.pop("WANDB_MODE", ""):  # told to each run by name; set but empty, it would stop the client
        if named not in get_args(Tracking):
            raise InputError(f"WANDB_MODE={named}: wanted one of {', '.join(get_args(Tracking))}")
        return cast(Tracking, named)
    has_key = not offline and wandb.login(prompt=False)
    return "online" if has_key else "offline"


def environment(settings: Settings) -> dict[str, str]:
    """W&B's variables for the nodes. With the key: it must reach no file, log or command line."""
    found = {name: value for name, value in os.environ.items() if name.startswith("WANDB_") and name not in PRIVATE}
    key = wandb.setup().settings.api_key if settings.tracking == "online" else None
    return found | ({"WANDB_API_KEY": key} if key else {})


def check(settings: Settings) -> None:
    """
    Raises:
        InputError: runs are to be online, and W&B does not answer, or does not know the key or the entity.
    """
    if settings.tracking != "online":
        return
    where = wandb.setup().settings.base_url
    instead = "WANDB_MODE=offline keeps the runs in storage instead"
    try:
        viewer = wandb.Api(timeout=20).viewer
        mine = {viewer.entity, viewer.username, *viewer.teams}
    except Exception as error:  # the client raises its own errors, requests' and ValueErrors
        raise InputError(f"W&B at {where} does not let runs in: {error}; {instead}") from error
    if settings.entity and settings.entity not in mine:
        known = ", ".join(sorted(filter(None, mine)))
        raise InputError(f"W&B at {where}: no entity {settings.entity} for this key, which has {known}; {instead}")


@contextmanager
def tracked(trial: Trial, settings: Settings) -> Iterator[Run]:
    """The trial's run: finished when the block ends, failed when it raises.

    Its id is the trial's, in a search after the search's name.
    W&B writes to a local folder; the closed run's files are then copied to storage, whole. A server that does not
    answer holds no trial up for longer than `FLUSH_SECONDS`: `study.reconcile` brings it what it lacks.
    """
    with tempfile.TemporaryDirectory(prefix="wbc-wandb-", ignore_cleanup_errors=True) as folder:
        run = _start(trial, settings, folder=folder)
        exit_code = 1
        try:
            yield run
            exit_code = 0
        finally:
            run.finish(exit_code=exit_code)
            for log in Path(folder).glob(f"wandb/*run-*/run-{run.id}.wandb"):
                _await(log)
                Storage(settings.storage).add_run(log.parent, run_id=run.id)


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


def on_server(settings: Settings, run_id: str) -> Replica | None:
    """What W&B's server holds of a run, its whole history; None where it has no such run.

    Raises:
        InputError: it does not answer.
    """
    try:
        run = wandb.Api(timeout=60).run("/".join(filter(None, [settings.entity, settings.project, run_id])))
        rows = [row for row in run.scan_history(use_cache=False) if "epoch" in row]
        return Replica(run.state, rows, run.summary_metrics.get("record"))
    except Exception as error:  # the client raises its own errors, and those of what it is made of
        if "could not find" in str(error).lower():
            return None
        raise InputError(f"W&B does not tell about run {run_id}: {error}") from error


def _start(trial: Trial, settings: Settings, *, folder: str) -> Run:
    """Online if it can be; offline if W&B, which answered when the study began, does not answer now."""
    try:
        return _init(trial, settings, folder=folder, mode=settings.tracking)
    except wandb.errors.CommError:
        wandb.teardown()  # else the client holds the run's id
        return _init(trial, settings, folder=folder, mode="offline")


def _init(trial: Trial, settings: Settings, *, folder: str, mode: Tracking) -> Run:
    job = "rehearsal" if trial.config.rehearsal else "trial"
    return wandb.init(
        id=f"{settings.search}-{trial.id}" if settings.search else trial.id,
        name=f"{trial.name} seed={trial.seed}",
        project=settings.project,
        entity=settings.entity,
        group=f"search {settings.search}" if settings.search else _table(trial.tables[0] if trial.tables else "none"),
        job_type="search" if settings.search else job,
        tags=[*map(_table, trial.tables), trial.config.dataset.name],
        config={"trial": trial.to_json(), "seed": trial.seed} | trial.config.to_json(),
        dir=folder,
        mode=mode,
        resume="allow" if mode == "online" else None,
        settings=wandb.Settings(
            silent=True,
            console="off",
            git_root=str(ROOT),
            init_timeout=FLUSH_SECONDS,
            finish_timeout=FLUSH_SECONDS,
            reinit="create_new",  # never the run of another trial that was not closed
        ),
    )


def _table(number: str) -> str:
    return f"table {number}"
