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
EVERY = 30
"""Seconds that progress is silent at most, while trials report epochs."""
QUIET = {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0"}
"""Tune neither writes logs beside the trials' own nor prints tables between `Progress`'s lines."""


def run_trial(config: dict[str, Any]) -> None:
    """Tune's trainable: plain JSON in, one report an epoch out."""
    from study.execute import complete  # torch loads in the worker, once for all its trials

    trial, settings = Trial.from_json(config["trial"]), Settings.from_json(config["settings"])
    files = Storage(settings.storage).trial(trial.id)
    files.discard("error.txt")
    try:
        for row in complete(trial, settings):
            tune.report(row)
    except Exception:
        files.write("error.txt", traceback.format_exc().encode())
        raise


def launch(trials: Sequence[Trial], settings: Settings) -> None:
    """Run trials to their end. What became of each is in storage: a record, an `error.txt`, or neither if it was lost.

    On the Ray cluster there is, else on this machine.
    """
    os.environ |= QUIET
    os.environ.pop("WANDB_SERVICE", None)  # inherited, it would outlive a killed worker and keep its run in use
    _connect()
    gpus = settings.gpus if settings.gpus is not None else min(1, ray.cluster_resources().get("GPU", 0))
    _tell_if_waiting(cpus=settings.cpus, gpus=gpus)
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
    """Join the cluster that RAY_ADDRESS names or `ray start` made, else start Ray on this machine.

    Not `address="auto"`: that would also join the private Ray of another driver here, and die with it.
    """
    ray.init(logging_level=logging.ERROR, log_to_driver=False)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what fails is told by `Progress`, once


def _tell_if_waiting(*, cpus: float, gpus: float) -> None:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        print(f"no node has the {cpus:g} CPUs and {gpus:g} GPUs of a trial: waiting for one to join", file=sys.stderr)


def _tune_folder(settings: Settings) -> str:
    """Tune's own bookkeeping: nothing is ever read from it, but every node must be able to write it."""
    folder = UPath(settings.storage) / "tune"
    return str(folder) if folder.protocol else str(folder.absolute())


class Progress(tune.Callback):
    """A line for each finished trial, and one in `EVERY` seconds: done, running, to go, best so far, time left."""

    def __init__(self, trials: Sequence[Trial], storage: Storage) -> None:
        self.storage = storage
        self.total, self.done, self.started = len(trials), 0, time.monotonic()
        self.told = self.started
        self.running: dict[str, float] = {}
        """Best validation accuracy of each running trial."""
        self.best: dict[str, float] = {}
        """Best validation accuracy on each dataset."""

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.running[_ours(trial).id] = 0.0

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        ours, accuracy = _ours(trial), result.get(BEST, 0.0)
        self.running[ours.id] = max(self.running.get(ours.id, 0.0), accuracy)
        self.best[ours.config.dataset] = max(self.best.get(ours.config.dataset, 0.0), accuracy)
        if "epoch" in result and time.monotonic() - self.told > EVERY:
            self._tell(ours, f"epoch {result['epoch'] + 1} of {ours.config.epochs}, validation {accuracy:.2%}")

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(_ours(trial), f"validation {self.running.get(_ours(trial).id, 0.0):.2%}")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(_ours(trial), f"FAILED: {self.storage.trial(_ours(trial).id).error().splitlines()[-1]}")

    def _end(self, trial: Trial, outcome: str) -> None:
        self.done += 1
        self.running.pop(trial.id, None)
        self._tell(trial, outcome)

    def _tell(self, trial: Trial, news: str) -> None:
        self.told = time.monotonic()
        running, dataset = len(self.running), trial.config.dataset
        each = (self.told - self.started) / self.done if self.done else 0
        left = f"about {timedelta(seconds=round(each * (self.total - self.done)))}" if self.done else "unknown time"
        print(
            f"[{self.done}/{self.total}] {trial.name}: {news} · best on {dataset} {self.best.get(dataset, 0):.2%} · "
            f"{running} running, {self.total - self.done - running} to go, {left} left",
            file=sys.stderr,
            flush=True,
        )


def _ours(trial: Any) -> Trial:
    return Trial.from_json(trial.config["trial"])
