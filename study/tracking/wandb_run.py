"""Each trial's W&B run. The trial writes it itself, since Ray's W&B callback loses runs silently."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import cast, get_args

import wandb
from pydantic import ValidationError

from study.plan import Trial
from study.provenance import ROOT, code
from study.settings import Settings, Tracking
from study.storage import Storage
from study.temporary import require_temporary_space, temporary_folder
from study.tracking.comparison import Replica
from study.tracking.log_reader import is_complete
from study.tracking.variables import HONOURED, set_aside
from wbc_model.errors import InputError

MODEL = "model"
"""Type of the artifacts that are trained models."""
FLUSH_SECONDS = 60
"""Timeout for W&B to write, and online to send, the end of a run."""
AS_ARGUMENTS = ("WANDB_MODE", "WANDB_ENTITY", "WANDB_PROJECT")
"""Variables of W&B that each run gets as arguments."""
WITHOUT_SERVER = {"offline": "offline", "dryrun": "offline", "disabled": "disabled"}
"""What `wandb offline` and the like keep in W&B's settings file, as a mode."""
LONGEST_NAME, LONGEST_TAG = 128, 64
"""Characters that W&B's server accepts."""


def mode(*, offline: bool) -> Tracking:
    """W&B's mode: WANDB_MODE (or WANDB_DISABLED) where it is set, else online with an API key and offline without one.

    Args:
        offline: stay offline even with a key.

    Raises:
        InputError: WANDB_MODE is none of the three, or W&B's client does not accept a key or another variable.
    """
    refused = os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes", "on")  # as older clients have it
    set_aside()
    named, *_ = [os.environ.pop(name, "") for name in AS_ARGUMENTS]  # empty or wrong, they would stop the client
    named = named or ("disabled" if refused else "")
    if named not in ("", *get_args(Tracking)):
        raise InputError(f"WANDB_MODE={named}: must be one of {', '.join(get_args(Tracking))}")
    try:
        kept = named or wandb.setup().settings.mode  # `wandb offline` keeps it in a file
        has_key = kept not in WITHOUT_SERVER and not offline and wandb.login(prompt=False)
    except (wandb.errors.Error, ValidationError) as error:
        raise InputError(f"W&B's settings (WANDB_... variables, its settings file) are not valid: {error}") from error
    return cast(Tracking, named or ("online" if has_key else WITHOUT_SERVER.get(kept, "offline")))


def environment(settings: Settings) -> dict[str, str]:
    """W&B's variables for the nodes. They include the API key, which must reach no file, log or command line."""
    kept = HONOURED - set(AS_ARGUMENTS)
    found = {name: value for name, value in os.environ.items() if name in kept}
    key = wandb.setup().settings.api_key if settings.tracking == "online" else None
    return found | ({"WANDB_API_KEY": key} if key else {})


def check(settings: Settings) -> None:
    """Check that W&B accepts runs, if they are to be online.

    Other makers' servers may take runs and answer no questions: that is told, and no reason to stop.

    Raises:
        InputError: W&B does not answer, or does not know the key or the entity.
    """
    if settings.tracking != "online":
        return
    where = wandb.setup().settings.base_url
    instead = "WANDB_MODE=offline keeps the runs in storage instead"
    try:
        api = wandb.Api(timeout=20)  # asks whether the key is known
        viewer = api.viewer
        mine = {viewer.entity, viewer.username, *viewer.teams}
    except Exception as error:  # the client raises its own errors, requests' and ValueErrors
        if getattr(getattr(error, "response", None), "http_status", None) == HTTPStatus.BAD_REQUEST:
            print(f"W&B at {where} knows the key and cannot be asked about runs ({error}): they will not be compared "
                  "with storage, and analysis has to read them from there", file=sys.stderr)  # fmt: skip
            return
        raise InputError(f"W&B at {where}{_proxy()} does not accept runs: {error}; {instead}") from error
    if settings.entity and settings.entity not in mine:
        known = ", ".join(sorted(filter(None, mine)))
        raise InputError(
            f"W&B at {where}: the key has no access to the entity {settings.entity}, only to {known}; {instead}"
        )


def _proxy() -> str:
    """The variable that sends the client through a proxy, if one is set; its value may hold a password."""
    named = next((name for name in os.environ if name.lower() in ("https_proxy", "http_proxy", "all_proxy")), None)
    return f" (through the proxy that {named} sets; NO_PROXY names hosts to reach without it)" if named else ""


@contextmanager
def tracked(trial: Trial, settings: Settings) -> Iterator[wandb.Run]:
    """The trial's run, which is finished when the block ends and failed when it raises.

    Its id is the trial's, in a search preceded by the search's name.
    W&B writes to a local folder; the files of the closed run are then copied to storage. A server that does not answer
    delays a trial by at most `FLUSH_SECONDS`; `study.reconcile` later sends what it lacks.
    """
    require_temporary_space()
    with temporary_folder("wandb") as folder:
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
    """Wait until the closed run is in its file: `finish` returns earlier, sometimes before anything is written.

    Raises:
        TimeoutError: W&B did not write it in `FLUSH_SECONDS`.
    """
    deadline = time.monotonic() + FLUSH_SECONDS
    while not is_complete(log):
        if time.monotonic() > deadline:
            raise TimeoutError(f"W&B has not written the end of the run to {log} in {FLUSH_SECONDS} s")
        time.sleep(0.01)


def on_server(settings: Settings, run_id: str) -> Replica | None:
    """A run on W&B's server, with its whole history; None if it has no such run.

    Raises:
        InputError: the server does not answer.
    """
    try:
        run = wandb.Api(timeout=60).run("/".join(filter(None, [settings.entity, settings.project, run_id])))
        rows = [row for row in run.scan_history(use_cache=False) if "epoch" in row]
        model = any(artifact.type == MODEL for artifact in run.logged_artifacts())
        return Replica(run.state, rows, run.summary_metrics.get("record"), model)
    except Exception as error:  # the client raises its own errors, and those of its libraries
        if "could not find" in str(error).lower():
            return None
        raise InputError(f"W&B cannot be asked about run {run_id}: {error}") from error


def _start(trial: Trial, settings: Settings, *, folder: str) -> wandb.Run:
    """Start the run online if that is the mode; offline if W&B, which answered when the study began, no longer does."""
    try:
        return _init(trial, settings, folder=folder, mode=settings.tracking)
    except wandb.errors.CommError:
        wandb.teardown()  # else the client still holds the run's id
        return _init(trial, settings, folder=folder, mode="offline")


def _init(trial: Trial, settings: Settings, *, folder: str, mode: Tracking) -> wandb.Run:
    job = "rehearsal" if trial.config.rehearsal else "trial"
    commit = code()["git"]  # the client's own look for one follows GIT_DIR, and finds that of a folder around ours
    return wandb.init(
        id=f"{settings.search}-{trial.id}" if settings.search else trial.id,
        name=f"{trial.name[: LONGEST_NAME - 20]} seed={trial.seed}",
        project=settings.project,
        entity=settings.entity,
        group=f"search {settings.search}" if settings.search else _table(trial.tables[0] if trial.tables else "none"),
        job_type="search" if settings.search else job,
        tags=[tag[:LONGEST_TAG] for tag in (*map(_table, trial.tables), trial.config.dataset.name)],
        config={"trial": trial.to_json(), "name": trial.name, "seed": trial.seed} | trial.config.to_json(),
        dir=folder,
        mode=mode,
        resume="allow" if mode == "online" else None,
        settings=wandb.Settings(
            silent=True,
            console="off",
            git_root=str(ROOT),
            git_commit=commit and commit.removesuffix("-dirty"),
            disable_git=commit is None,
            init_timeout=FLUSH_SECONDS,
            finish_timeout=FLUSH_SECONDS,
            reinit="create_new",  # never the run of another trial that was not closed
        ),
    )


def _table(number: str) -> str:
    return f"table {number}"
