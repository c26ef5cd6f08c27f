"""The objects that Ray Tune calls during a launch: a worker's actor, a searcher, a callback and a scheduler."""

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
from study.tracking.variables import set_aside
from study.trial.attempt import ELSEWHERE, FINISHED, HELD, OUTCOME, TOLD, attempt
from wbc_model.inference.model_info import FILE

MAX_REQUESTED = 1000
"""Trials for which resources are requested of an autoscaling cluster: more would only slow the request down."""


class Runner(tune.Trainable):
    """A worker's actor, which runs one attempt after another. A step is an epoch; inputs and outputs are JSON."""

    def setup(self, config: dict[str, Any], environment: dict[str, str] | None = None) -> None:
        set_aside()  # what a node's shell had set when Ray was started there
        os.environ |= environment or {}
        self.rows = attempt(Trial.from_json(config["trial"]), Settings.from_json(config["settings"]))
        self.failed = False

    def step(self) -> dict[str, Any]:
        if self.failed:
            raise RuntimeError("already reported: the process of a failed trial is not reused")
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
    """Excluded from Tune's snapshots, which are never restored: a terminal or a lock cannot be pickled."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class ScheduleSearcher(NotPickled, Searcher):
    """Gives Tune the next trial of the schedule."""

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
        """`ScheduleCallback` is told more."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: finished trials are in storage."""


class ScheduleCallback(NotPickled, tune.Callback):
    """Passes what happened in Tune to the schedule, the progress display and the costs."""

    def __init__(self, schedule: TrialQueue, progress: Progress, costs: Costs, settings: Settings) -> None:
        self.schedule, self.progress, self.costs, self.settings = schedule, progress, costs, settings
        self.storage = Storage(settings.storage)
        self.began = time.monotonic()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: TuneTrial, **info: Any) -> None:
        self.schedule.mark_started(_ours(trial))
        self.progress.started(_ours(trial))
        # An autoscaling cluster needs to know of every trial, not only of the one that Tune starts next.
        jobs = list(islice(chain(self.schedule.running.values(), self.schedule.waiting.values()), MAX_REQUESTED))
        request_resources(bundles=[_bundle(self.settings.cpus, job.gpus) for job in jobs])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        ours, outcome = _ours(trial), result.get(OUTCOME)
        self._record_start()
        self.progress.tell(result.get(TOLD, ()))
        if outcome is None:
            self.progress.epoch(ours, result)
        elif outcome == FINISHED:
            self.schedule.finish(ours)
            self.progress.finished(ours)
            self._learn(ours, seconds=result["seconds"], epochs=result["epochs"])
        elif outcome == ELSEWHERE:
            self.schedule.leave(ours)
            self.progress.finished_elsewhere(ours)
        elif outcome == HELD:
            self.schedule.requeue(ours)
            self.progress.held(ours, result["by"])
        else:
            self._fail(ours, Failure.from_json(outcome))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: TuneTrial, **info: Any) -> None:
        """A trial without an outcome was stopped between two epochs, by Ctrl-C or by the scheduler of a search."""
        ours = _ours(trial)
        if ours.id not in self.schedule.running:
            return
        self.progress.stopped(ours)
        if self.schedule.stopping:
            self.schedule.requeue(ours)
        else:
            files = self.storage.trial(ours.id)
            files.write(PRUNED, b"{}")
            files.discard("checkpoint.pt")
            self.schedule.finish(ours)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: TuneTrial, **info: Any) -> None:
        """A trial without an outcome has lost its worker."""
        if (ours := _ours(trial)).id not in self.schedule.running:
            return
        files = self.storage.trial(ours.id)
        failure = Failure.lost(_reason(trial), epochs=self.progress.progress[ours.id].epochs)
        files.write_failure(failure)
        self._fail(ours, failure)

    def _fail(self, trial: Trial, failure: Failure) -> None:
        decision = self.schedule.fail(trial, failure)
        report = self.progress.retried if decision is RetryDecision.RETRIED else self.progress.failed
        report(trial, failure.error)

    def _record_start(self) -> None:
        assert self.costs.machine is not None
        if self.costs.machine.start == 0:
            self.costs.machine = replace(self.costs.machine, start=time.monotonic() - self.began)

    def _learn(self, trial: Trial, *, seconds: float, epochs: int) -> None:
        """Learn the cost of a trial that was trained in a single attempt."""
        record = self.storage.trial(trial.id).record()
        if record is None or epochs != trial.config.epochs:
            return
        training = sum(row["seconds"] for row in record.curves)
        peak = record.provenance["peak"]
        self.costs.learn(trial, Cost(
            epoch_seconds=training / epochs,
            overhead_seconds=max(0.0, seconds - training),
            memory=peak["gpu"],
            stored=self.storage.size(trial.id) - self.storage.trial(trial.id).size(FILE),
            checkpoint=peak["checkpoint_bytes"],
            weights=peak["weights_bytes"],
        ))  # fmt: skip
        self.costs.write(self.storage)


class StopAtEpochScheduler(NotPickled, FIFOScheduler):
    """Stops each trial after its current epoch once the schedule is stopping; until then another scheduler decides."""

    def __init__(self, schedule: TrialQueue, scheduler: TrialScheduler) -> None:
        super().__init__()
        self.schedule, self.scheduler = schedule, scheduler

    def on_trial_add(self, tune_controller: Any, trial: TuneTrial) -> None:
        self.scheduler.on_trial_add(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: Any) -> TuneTrial | None:
        if not self.schedule.stopping:
            return super().choose_trial_to_run(tune_controller)
        for trial in [each for each in tune_controller.get_live_trials() if each.status == TuneTrial.PENDING]:
            tune_controller.stop_trial(trial)  # it would begin, or wait for resources for ever
        return None

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        if self.schedule.stopping:
            return TrialScheduler.STOP
        if result.get("epoch") == _ours(trial).config.epochs - 1:  # its last epoch: it finishes by itself
            return TrialScheduler.CONTINUE
        if OUTCOME in result:
            return TrialScheduler.CONTINUE
        return self.scheduler.on_trial_result(tune_controller, trial, result)


def _bundle(cpus: float, gpus: float) -> dict[str, float]:
    return {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}


def _ours(trial: TuneTrial) -> Trial:
    return Trial.from_json(trial.config["trial"])


def _reason(trial: TuneTrial) -> str:
    """Ray's reason for the loss of a worker, in one line."""
    lines = [line.strip() for line in str(trial.get_error() or "").splitlines()]
    reasons = [line.partition(":")[2].strip() for line in lines if line.startswith("ray.exceptions.")]
    details = [line for line in lines if line.startswith("The actor ") and line not in "".join(reasons)]
    return " ".join([*reasons[:1], *details]) or "its worker died without an error message"
