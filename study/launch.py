"""Fan trials out over a Ray cluster, or over this machine. The only file that imports ray."""

import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray import tune
from ray.autoscaler.sdk import request_resources
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from study.attempt import FINISHED, HELD, OUTCOME, attempt
from study.failures import Failure
from study.plan import Trial
from study.progress import Progress
from study.schedule import Schedule, Verdict
from study.settings import Settings
from study.storage import Storage

QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
}
"""Tune writes no logs beside the trials' own, prints no tables between our lines, and leaves Ctrl-C to us."""
MANY = -1
"""Samples: as many as the schedule has."""


class Runner(tune.Trainable):
    """A worker's actor: one attempt at a trial after the other, each step an epoch. Plain JSON comes in and goes out."""

    def setup(self, config: dict[str, Any]) -> None:
        self.rows = attempt(Trial.from_json(config["trial"]), Settings.from_json(config["settings"]))
        self.failed = False

    def step(self) -> dict[str, Any]:
        if self.failed:
            raise RuntimeError("told already: a failed trial's process is not used again")
        row = next(self.rows)
        self.failed = isinstance(row.get(OUTCOME), dict)
        return row | {"done": OUTCOME in row and not self.failed}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        self.rows.close()

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        return tune.PlacementGroupFactory([_bundle(config["cpus"], config["gpus"])])


class Feed(Searcher):
    """Tune asks it what to start."""

    def __init__(self, schedule: Schedule, settings: Settings) -> None:
        super().__init__()
        self.schedule, self.settings = schedule, settings

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # noqa: ARG002 - Tune's name for it
        if self.schedule.done:
            return Searcher.FINISHED
        if (job := self.schedule.next()) is None:
            return None
        return {
            "trial": job.trial.to_json(),
            "settings": self.settings.to_json(),
            "cpus": self.settings.cpus,
            "gpus": job.gpus,
        }

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT001, FBT002
        """`Listener` hears more."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what is finished is in storage."""


class Listener(tune.Callback):
    """Tune tells it what happened."""

    def __init__(self, schedule: Schedule, progress: Progress, settings: Settings) -> None:
        self.schedule, self.progress, self.settings = schedule, progress, settings
        self.storage = Storage(settings.storage)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: TuneTrial, **info: Any) -> None:
        self.progress.started(_ours(trial))
        self._ask_for_nodes()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        ours, outcome = _ours(trial), result.get(OUTCOME)
        if outcome is None:
            self.progress.epoch(ours, result)
        elif outcome == FINISHED:
            self.schedule.finish(ours)
            self.progress.finished(ours)
        elif outcome == HELD:
            self.schedule.look_again(ours)
            self.progress.held(ours, result["by"])
        else:
            self._fail(ours, Failure.from_json(outcome))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: TuneTrial, **info: Any) -> None:
        """Ended by `Brake` between two epochs, if its outcome is not known."""
        if (ours := _ours(trial)).id in self.schedule.running:
            self.schedule.look_again(ours)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: TuneTrial, **info: Any) -> None:
        """The worker is gone, if its outcome is not known."""
        if (ours := _ours(trial)).id not in self.schedule.running:
            return
        files = self.storage.trial(ours.id)
        failure = Failure.lost(_reason(trial), epochs=len(files.epochs()))
        files.write_failure(failure)
        self._fail(ours, failure)

    def _fail(self, trial: Trial, failure: Failure) -> None:
        verdict = self.schedule.fail(trial, failure)
        tell = self.progress.retried if verdict is Verdict.RETRIED else self.progress.failed
        tell(trial, failure.error)

    def _ask_for_nodes(self) -> None:
        """A cluster that can grow is told of all that is to run, not only of what Tune asks for next."""
        jobs = [*self.schedule.running.values(), *self.schedule.waiting.values()]
        request_resources(bundles=[_bundle(self.settings.cpus, job.gpus) for job in jobs])


class Brake(FIFOScheduler):
    """Ends every trial with its epoch once the schedule is to stop."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.schedule = schedule

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        return TrialScheduler.STOP if self.schedule.stopping else TrialScheduler.CONTINUE


def launch(trials: Sequence[Trial], settings: Settings, *, budget: float | None = None) -> Schedule:
    """Run trials to their end, on the Ray cluster there is, else on this machine; what became of each is returned."""
    cluster = _connect()
    gpus = settings.gpus if settings.gpus is not None else min(1, cluster.get("GPU", 0))
    _tell_if_waiting(cpus=settings.cpus, gpus=gpus)
    schedule = Schedule(trials, gpus=lambda _: gpus, budget=budget)
    _fit(schedule, Progress(trials), settings)
    return schedule


def _fit(schedule: Schedule, progress: Progress, settings: Settings) -> None:
    with tempfile.TemporaryDirectory(prefix="wbc-tune-") as bookkeeping, _interruptible(schedule):
        tune.Tuner(
            Runner,
            tune_config=tune.TuneConfig(
                search_alg=Feed(schedule, settings),
                scheduler=Brake(schedule),
                num_samples=MANY,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=time.strftime("%Y%m%d-%H%M%S"),
                storage_path=bookkeeping,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                callbacks=[Listener(schedule, progress, settings)],
                verbose=0,
            ),
        ).fit()
        request_resources(bundles=[])


def _connect() -> dict[str, float]:
    """Join the cluster that RAY_ADDRESS names or `ray start` made, else start Ray here; its resources.

    Not `address="auto"`: that would also join the private Ray of another driver here, and die with it.
    """
    os.environ |= QUIET
    os.environ.pop("WANDB_SERVICE", None)  # inherited, it would outlive a killed worker and keep its run in use
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False)
    except ConnectionError as error:
        address = os.environ.get("RAY_ADDRESS")
        raise ConnectionError(
            f"no Ray cluster answers at RAY_ADDRESS={address}: start it, or unset RAY_ADDRESS to run here"
        ) from error
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what fails is told by `Progress`, once
    return ray.cluster_resources()


def _tell_if_waiting(*, cpus: float, gpus: float) -> None:
    """A line if no node has what a trial needs, and one if GPUs would lie idle for want of cores."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        print(f"no node has the {cpus:g} CPUs and {gpus:g} GPUs of a trial: waiting for one to join", file=sys.stderr)
    for node in nodes:
        fit, there = node.get("CPU", 0) // cpus, node.get("GPU", 0) // gpus if gpus else 0
        if fit < there:
            print(f"a node's {node['CPU']:g} CPUs serve {fit:g} of the {there:g} trials that its GPUs could: "
                  f"give each fewer with --cpus", file=sys.stderr)  # fmt: skip


@contextmanager
def _interruptible(schedule: Schedule) -> Iterator[None]:
    """Ctrl-C or SIGTERM once: trials end with their epoch. Twice: now. Either way nothing that was saved is lost."""

    def handle(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's arguments
        if schedule.stopping:
            raise KeyboardInterrupt
        schedule.stopping = True
        print("\nstopping: each trial ends with its epoch and is saved; again to stop at once", file=sys.stderr)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _bundle(cpus: float, gpus: float) -> dict[str, float]:
    return {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}


def _ours(trial: TuneTrial) -> Trial:
    return Trial.from_json(trial.config["trial"])


def _reason(trial: TuneTrial) -> str:
    """What Ray says of a worker that is gone, in one line."""
    lines = [line.strip() for line in str(trial.get_error() or "").splitlines()]
    told = [line.partition(":")[2].strip() for line in lines if line.startswith("ray.exceptions.")]
    return told[0] if told else "its worker died without a word"
