"""Fan trials out over a Ray cluster, or over this machine. The only file that imports ray."""

import logging
import os
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import ray
from ray import tune
from upath import UPath

from study.plan import Trial
from study.settings import Settings

BEST = "validation_accuracy"
QUIET = {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0"}
"""Tune neither writes logs beside the trials' own nor prints tables between `Progress`'s lines."""


def run_trial(config: dict[str, Any]) -> None:
    """Tune's trainable: plain JSON in, one report an epoch out."""
    from study.execute import complete  # torch loads in the worker, once for all its trials

    for row in complete(Trial.from_json(config["trial"]), Settings.from_json(config["settings"])):
        tune.report(row)


def launch(trials: Sequence[Trial], settings: Settings) -> dict[str, str]:
    """Run trials to their end; returns the traceback of each that failed, by id. Others are finished or were stopped.

    On the cluster that `RAY_ADDRESS` or a running Ray names, else on this machine.
    """
    os.environ |= QUIET
    _connect()
    gpus = settings.gpus if settings.gpus is not None else min(1, ray.cluster_resources().get("GPU", 0))
    progress = Progress(trials)
    tuner = tune.Tuner(
        tune.with_resources(run_trial, {"cpu": settings.cpus, "gpu": gpus}),
        param_space={"trial": tune.grid_search([trial.to_json() for trial in trials]), "settings": settings.to_json()},
        tune_config=tune.TuneConfig(reuse_actors=True, trial_dirname_creator=lambda trial: trial.trial_id),
        run_config=tune.RunConfig(
            name=time.strftime("%Y%m%d-%H%M%S"),
            storage_path=_tune_folder(settings),
            callbacks=[progress],
            verbose=0,
        ),
    )
    tuner.fit()
    return progress.failed


def _connect() -> None:
    """Join a running cluster, or start Ray on this machine."""
    logging.getLogger("ray").setLevel(logging.ERROR)  # warns of the result files that Tune was told not to write
    quiet = {"logging_level": "error", "log_to_driver": False}
    try:
        ray.init(address="auto", **quiet)
    except ConnectionError:
        ray.init(address="local", include_dashboard=False, **quiet)


def _tune_folder(settings: Settings) -> str:
    """Tune's own bookkeeping: nothing is ever read from it, but every node must be able to write it."""
    folder = UPath(settings.storage) / "tune"
    return str(folder) if folder.protocol else str(folder.absolute())


class Progress(tune.Callback):
    """A line for each finished trial: how many are done, running and to go, the best so far, and the time left."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.total, self.done, self.started = len(trials), 0, time.monotonic()
        self.running: set[str] = set()
        self.best: dict[str, float] = {}
        self.failed: dict[str, str] = {}

    def on_trial_start(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        self.running.add(_ours(trial).id)

    def on_trial_result(self, iteration: int, trials: list, trial: Any, result: dict, **info: Any) -> None:
        dataset = _ours(trial).config.dataset
        self.best[dataset] = max(self.best.get(dataset, 0.0), result.get(BEST, 0.0))

    def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        accuracy = (trial.last_result or {}).get(BEST, float("nan"))
        self._tell(_ours(trial), f"validation {accuracy:.2%}")

    def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        ours, error = _ours(trial), trial.get_pickled_error() or "no traceback"
        self.failed[ours.id] = str(error)
        self._tell(ours, f"FAILED: {str(error).strip().splitlines()[-1]}")

    def _tell(self, trial: Trial, outcome: str) -> None:
        self.done += 1
        self.running.discard(trial.id)
        to_go = self.total - self.done - len(self.running)
        left = timedelta(seconds=round((time.monotonic() - self.started) / self.done * (self.total - self.done)))
        dataset = trial.config.dataset
        print(
            f"[{self.done}/{self.total}] {trial.name}: {outcome} · best on {dataset} "
            f"{self.best.get(dataset, 0):.2%} · {len(self.running)} running, {to_go} to go, about {left} left",
            file=sys.stderr,
            flush=True,
        )


def _ours(trial: Any) -> Trial:
    return Trial.from_json(trial.config["trial"])
