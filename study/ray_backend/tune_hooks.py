"""Ray Tune's side of a launch: what runs in a worker, what Tune asks and what it tells. Imports ray, with `launch`."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from ray import tune
from ray.autoscaler.sdk import request_resources
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from study.costs.model import Cost, Costs
from study.plan import Trial
from study.progress.live import Progress
from study.scheduling.failures import Failure
from study.scheduling.schedule import RetryDecision, TrialQueue
from study.settings import Settings
from study.storage import PRUNED, Storage
from study.trial.attempt import FINISHED, HELD, OUTCOME, attempt

MOST_ASKED_FOR = 1000
"""Trials that a cluster is asked to have room for: none grows beyond, and asking takes time."""


class Runner(tune.Trainable):
    """A worker's actor: one attempt at a trial after the other, each step an epoch. JSON comes in and goes out."""

    def setup(self, config: dict[str, Any], environment: dict[str, str] | None = None) -> None:
        os.environ |= environment or {}
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
        self.rows = attempt(Trial.from_json(new_config["trial"]), Settings.from_json(new_config["settings"]))
        return True

    def cleanup(self) -> None:
        self.rows.close()

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        elsewhere = [{"ray.io/node-id": f"!in({','.join(config['avoid'])})"}] if config["avoid"] else None
        return tune.PlacementGroupFactory([_bundle(config["cpus"], config["gpus"])], bundle_label_selector=elsewhere)


class NotPickled:
    """Left out of Tune's snapshots, which are never restored; a terminal or a lock could not be saved anyway."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class ScheduleSearcher(NotPickled, Searcher):
    """Tune asks it what to start."""

    def __init__(self, schedule: TrialQueue, settings: Settings, avoid: Sequence[str]) -> None:
        super().__init__()
        self.schedule, self.settings, self.avoid = schedule, settings, avoid

    def suggest(self, trial_id: str) -> Any:
        if self.schedule.done:
            return Searcher.FINISHED
        if (job := self.schedule.next()) is None:
            return None
        return {
            "trial": job.trial.to_json(),
            "settings": self.settings.to_json(),
            "cpus": self.settings.cpus,
            "gpus": job.gpus,
            "avoid": self.avoid,
        }

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT001, FBT002
        """`Listener` hears more."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what is finished is in storage."""


class ScheduleCallback(NotPickled, tune.Callback):
    """Tune tells it what happened."""

    def __init__(self, schedule: TrialQueue, progress: Progress, costs: Costs, settings: Settings) -> None:
        self.schedule, self.progress, self.costs, self.settings = schedule, progress, costs, settings
        self.storage = Storage(settings.storage)
        self.began = time.monotonic()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: TuneTrial, **info: Any) -> None:
        self.schedule.begin(_ours(trial))
        self.progress.started(_ours(trial))
        # A cluster that can grow is told of all that is to run, not only of what Tune asks for next.
        jobs = list(islice(chain(self.schedule.running.values(), self.schedule.waiting.values()), MOST_ASKED_FOR))
        request_resources(bundles=[_bundle(self.settings.cpus, job.gpus) for job in jobs])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        ours, outcome = _ours(trial), result.get(OUTCOME)
        self._tell_start()
        if outcome is None:
            self.progress.epoch(ours, result)
        elif outcome == FINISHED:
            self.schedule.finish(ours)
            self.progress.finished(ours)
            self._learn(ours, seconds=result["seconds"], epochs=result["epochs"])
        elif outcome == HELD:
            self.schedule.look_again(ours)
            self.progress.stopped(ours)
        else:
            self._fail(ours, Failure.from_json(outcome))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: TuneTrial, **info: Any) -> None:
        """Ended between two epochs, if its outcome is not known: by `Brake`, or by the scheduler of a search."""
        ours = _ours(trial)
        if ours.id not in self.schedule.running:
            return
        self.progress.stopped(ours)
        if self.schedule.stopping:
            self.schedule.look_again(ours)
        else:
            files = self.storage.trial(ours.id)
            files.write(PRUNED, b"{}")
            files.discard("checkpoint.pt")
            self.schedule.finish(ours)

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
        tell = self.progress.retried if verdict is RetryDecision.RETRIED else self.progress.failed
        tell(trial, failure.error)

    def _tell_start(self) -> None:
        assert self.costs.machine is not None
        if self.costs.machine.start == 0:
            self.costs.machine = replace(self.costs.machine, start=time.monotonic() - self.began)

    def _learn(self, trial: Trial, *, seconds: float, epochs: int) -> None:
        """What a whole trial cost, from one that was done in one attempt."""
        record = self.storage.trial(trial.id).record()
        if record is None or epochs != trial.config.epochs:
            return
        training = sum(row["seconds"] for row in record.curves)
        peak = record.provenance["peak"]
        self.costs.learn(trial, Cost(
            epoch=training / epochs,
            rest=max(0.0, seconds - training),
            memory=peak["gpu"],
            stored=self.storage.size(trial.id),
            checkpoint=peak["checkpoint_bytes"],
        ))  # fmt: skip
        self.costs.write(self.storage)


class StopAtEpochScheduler(NotPickled, FIFOScheduler):
    """Ends every trial with its epoch once the schedule is to stop; else leaves trials to another scheduler."""

    def __init__(self, schedule: TrialQueue, scheduler: TrialScheduler) -> None:
        super().__init__()
        self.schedule, self.scheduler = schedule, scheduler

    def on_trial_add(self, tune_controller: Any, trial: TuneTrial) -> None:
        self.scheduler.on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        if self.schedule.stopping:
            return TrialScheduler.STOP
        if result.get("epoch") == _ours(trial).config.epochs - 1:  # there is nothing left to be saved
            return TrialScheduler.CONTINUE
        if OUTCOME in result:
            return TrialScheduler.CONTINUE
        return self.scheduler.on_trial_result(tune_controller, trial, result)


def _bundle(cpus: float, gpus: float) -> dict[str, float]:
    return {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}


def _ours(trial: TuneTrial) -> Trial:
    return Trial.from_json(trial.config["trial"])


def _reason(trial: TuneTrial) -> str:
    """What Ray says of a worker that is gone, in one line."""
    lines = [line.strip() for line in str(trial.get_error() or "").splitlines()]
    told = [line.partition(":")[2].strip() for line in lines if line.startswith("ray.exceptions.")]
    return told[0] if told else "its worker died without a word"
