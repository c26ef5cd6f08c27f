"""What the launcher makes of what happens in Ray Tune: it tells the schedule, the roster, the display and the costs."""

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ray import tune
from ray.tune.experiment import Trial as TuneTrial

from study.costs.cost import Cost
from study.costs.model import Costs
from study.plan import Trial
from study.progress.live import Progress
from study.ray_backend.nodes import pools
from study.ray_backend.resources import Demand
from study.ray_backend.roster import Change, Roster
from study.ray_backend.runner import NODE
from study.ray_backend.tune_hooks import NotPickled, study_trial
from study.scheduling.failures import Failure
from study.scheduling.schedule import RetryDecision, TrialQueue
from study.settings import Settings
from study.storage import PRUNED, Storage
from study.trial.attempt import ELSEWHERE, FINISHED, HELD, OUTCOME, TOLD
from wbc_model.inference.model_info import FILE


class ScheduleCallback(NotPickled, tune.Callback):
    """Passes what happened in Tune to the schedule, the roster, the progress display and the costs."""

    def __init__(
        self, schedule: TrialQueue, progress: Progress, costs: Costs, settings: Settings, roster: Roster
    ) -> None:
        self.schedule, self.progress, self.costs, self.settings = schedule, progress, costs, settings
        self.roster, self.demand = roster, Demand(schedule, settings, roster)
        self.places: dict[str, str] = {}
        """By id of a running trial, the id of its node."""
        self.storage = Storage(settings.storage)
        self.began = time.monotonic()

    def look(self) -> None:
        self._heed(self.roster.look())
        self.demand.look()

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self.look()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: TuneTrial, **info: Any) -> None:
        ours = study_trial(trial)
        self.places.pop(ours.id, None)  # of an earlier attempt
        self.schedule.mark_started(ours)
        self.progress.started(ours)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        ours, outcome = study_trial(trial), result.get(OUTCOME)
        if NODE in result:
            self.places[ours.id] = result[NODE]
            return
        self._record_start()
        self.progress.tell(result.get(TOLD, ()))
        if outcome is None:
            self.progress.epoch(ours, result)
        elif outcome == FINISHED:
            device = self.schedule.running[ours.id].device
            self.schedule.finish(ours)
            self.progress.finished(ours)
            self._heed(self.roster.finished(self.places[ours.id]))
            self._learn(ours, device, seconds=result["seconds"], epochs=result["epochs"])
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
        ours = study_trial(trial)
        if _has_ended(trial) or ours.id not in self.schedule.running:  # or it was taken back before it started
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
        if _has_ended(trial):
            return
        ours = study_trial(trial)
        files = self.storage.trial(ours.id)
        failure = Failure.lost(_reason(trial), epochs=self.progress.of(ours).epochs)
        files.write_failure(failure)
        self._fail(ours, failure)

    def _fail(self, trial: Trial, failure: Failure) -> None:
        node = self.places.pop(trial.id, "")
        alive = node in {each.id for each in self.roster.nodes()}  # else it, or the worker before it told, has died
        elsewhere = alive and not self.roster.only(node)
        decision = self.schedule.fail(trial, replace(failure, node=node if elsewhere else ""))
        report = self.progress.retried if decision is RetryDecision.RETRIED else self.progress.failed
        report(trial, failure.error)
        if alive:
            self._heed(self.roster.failed(trial.id, failure, node))
            self._forgive(node)

    def _heed(self, changes: Iterable[Change]) -> None:
        """Tell what has changed on the roster, and undo the failures on nodes that get no more trials."""
        for change in changes:
            self.progress.tell([str(change)])
            self._forgive(change.node.id)

    def _forgive(self, node: str) -> None:
        if node not in self.roster.fit:
            for trial in self.schedule.forgive(node):
                self.progress.retried(trial, "on another node")

    def _record_start(self) -> None:
        if self.costs.start == 0:
            self.costs.start = time.monotonic() - self.began

    def _learn(self, trial: Trial, device: str, *, seconds: float, epochs: int) -> None:
        """Learn the cost of a trial that was trained in a single attempt."""
        record = self.storage.trial(trial.id).record()
        if record is None or epochs != trial.config.epochs:
            return
        training = sum(row["seconds"] for row in record.curves)
        peak = record.provenance["peak"]
        cost = Cost(
            epoch_seconds=training / epochs,
            overhead_seconds=max(0.0, seconds - training),
            memory=peak["gpu"],
            stored=self.storage.size(trial.id) - self.storage.trial(trial.id).size(FILE),
            checkpoint=peak["checkpoint_bytes"],
            weights=peak["weights_bytes"],
        )
        self.costs.pools = pools(self.roster.fit.values())
        self.costs.learn(trial, cost, device)
        self.costs.write(self.storage)


def _has_ended(trial: TuneTrial) -> bool:
    """Whether an attempt has told its outcome. The next attempt, which is another trial for Tune, may run by now."""
    return OUTCOME in trial.last_result


def _reason(trial: TuneTrial) -> str:
    """Ray's reason for the loss of a worker, in one line."""
    lines = [line.strip() for line in str(trial.get_error() or "").splitlines()]
    reasons = [line.partition(":")[2].strip() for line in lines if line.startswith("ray.exceptions.")]
    details = [line for line in lines if line.startswith("The actor ") and line not in "".join(reasons)]
    return " ".join([*reasons[:1], *details]) or "its worker died without an error message"
