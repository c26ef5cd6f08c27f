"""Fan trials out over a Ray cluster, or over this machine. The only file that imports ray."""

import logging
import os
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import ray
from ray import tune
from upath import UPath

from study.plan import Trial
from study.settings import Settings
from study.storage import Storage

BEST = "validation_accuracy"
QUIET = {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0"}
"""Tune neither writes logs beside the trials' own nor prints tables between `Progress`'s lines."""


def run_trial(config: dict[str, Any]) -> None:
    """Tune's trainable: plain JSON in, one report an epoch out."""
    from study.execute import complete  # torch loads in the worker, once for all its trials

    trial, settings = Trial.from_json(config["trial"]), Settings.from_json(config["settings"])
    try:
        for row in complete(trial, settings):
            tune.report(row)
    except Exception:
        Storage(settings.storage).trial(trial.id).write("error.txt", traceback.format_exc().encode())
        raise


def launch(trials: Sequence[Trial], settings: Settings) -> None:
    """Run trials to their end. What became of each is in storage: a record, an `error.txt`, or neither if it was lost.

    On the cluster that `RAY_ADDRESS` or a running Ray names, else on this machine.
    """
    os.environ |= QUIET
    _connect()
    gpus = settings.gpus if settings.gpus is not None else min(1, ray.cluster_resources().get("GPU", 0))
    tuner = tune.Tuner(
        tune.with_resources(run_trial, {"cpu": settings.cpus, "gpu": gpus}),
        param_space={"trial": tune.grid_search([trial.to_json() for trial in trials]), "settings": settings.to_json()},
        tune_config=tune.TuneConfig(reuse_actors=True, trial_dirname_creator=lambda trial: trial.trial_id),
        run_config=tune.RunConfig(
            name=time.strftime("%Y%m%d-%H%M%S"),
            storage_path=_tune_folder(settings),
            callbacks=[Progress(trials, Storage(settings.storage))],
            verbose=0,
        ),
    )
    tuner.fit()


def _connect() -> None:
    """Join a running cluster, or start Ray on this machine."""
    try:
        ray.init(address="auto", logging_level=logging.ERROR, log_to_driver=False)
    except ConnectionError:
        ray.init(address="local", include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what fails is told by `Progress`, once


def _tune_folder(settings: Settings) -> str:
    """Tune's own bookkeeping: nothing is ever read from it, but every node must be able to write it."""
    folder = UPath(settings.storage) / "tune"
    return str(folder) if folder.protocol else str(folder.absolute())


class Progress(tune.Callback):
    """A line for each finished trial: how many are done, running and to go, the best so far, and the time left."""

    def __init__(self, trials: Sequence[Trial], storage: Storage) -> None:
        self.storage = storage
        self.total, self.done, self.started = len(trials), 0, time.monotonic()
        self.running: set[str] = set()
        self.best: dict[str, float] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self.running.add(_ours(trial).id)

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        dataset = _ours(trial).config.dataset
        self.best[dataset] = max(self.best.get(dataset, 0.0), result.get(BEST, 0.0))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        accuracy = (trial.last_result or {}).get(BEST, float("nan"))
        self._tell(_ours(trial), f"validation {accuracy:.2%}")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self._tell(_ours(trial), f"FAILED: {self.storage.trial(_ours(trial).id).error().splitlines()[-1]}")

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
