"""The objects that Ray Tune asks what to do: a searcher and a scheduler."""

from collections.abc import Callable
from typing import Any

from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from study.plan import Trial
from study.ray_backend.placement import Placement
from study.ray_backend.runner import NODE
from study.scheduling.schedule import TrialQueue
from study.settings import Settings
from study.trial.attempt import OUTCOME


class NotPickled:
    """Excluded from Tune's snapshots, which are never restored: a terminal or a lock cannot be pickled."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class ScheduleSearcher(NotPickled, Searcher):
    """Gives Tune the next trial of the schedule, and the nodes on which it may start."""

    def __init__(
        self, schedule: TrialQueue, settings: Settings, placement: Placement, look: Callable[[], None]
    ) -> None:
        """
        Args:
            look: called here, too, because Tune calls nothing else while no trial runs or waits for resources.
        """
        super().__init__()
        self.schedule, self.settings, self.placement, self.look = schedule, settings, placement, look

    def suggest(self, trial_id: str) -> Any:
        self.look()
        roster = self.placement.roster
        if self.schedule.done and (self.schedule.stopping or not roster.suspects):
            return Searcher.FINISHED
        if not roster.fit or (job := self.schedule.next()) is None:
            return None
        names = self.placement.place(job)
        return {
            "trial": job.trial.to_json(),
            "settings": self.settings.to_json(),
            "cpus": self.settings.cpus,
            "gpus": job.share,
            "nodes": names,
        }

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT001, FBT002
        """`ScheduleCallback` is told more."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: finished trials are in storage."""


class StopAtEpochScheduler(NotPickled, FIFOScheduler):
    """Stops each trial after its current epoch once the schedule is stopping; until then another scheduler decides.

    It also takes back a trial that waits for resources on nodes that it should not wait for any more.
    """

    def __init__(self, schedule: TrialQueue, scheduler: TrialScheduler, placement: Placement) -> None:
        super().__init__()
        self.schedule, self.scheduler, self.placement = schedule, scheduler, placement

    def on_trial_add(self, tune_controller: Any, trial: TuneTrial) -> None:
        self.scheduler.on_trial_add(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: Any) -> TuneTrial | None:
        for trial in [each for each in tune_controller.get_live_trials() if each.status == TuneTrial.PENDING]:
            ours = study_trial(trial)
            if self.schedule.stopping or self.placement.outdated(self.schedule.running[ours.id], trial.config["nodes"]):
                self.schedule.withdraw(ours)
                if trial in tune_controller._staged_trials:  # else Tune keeps an idle worker for it for ever
                    tune_controller._unstage_trial_with_resources(trial)
                tune_controller.stop_trial(trial)
        return None if self.schedule.stopping else super().choose_trial_to_run(tune_controller)

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        if self.schedule.stopping:
            return TrialScheduler.STOP
        if result.get("epoch") == study_trial(trial).config.epochs - 1:  # its last epoch: it finishes by itself
            return TrialScheduler.CONTINUE
        if OUTCOME in result or NODE in result:
            return TrialScheduler.CONTINUE
        return self.scheduler.on_trial_result(tune_controller, trial, result)


def study_trial(trial: TuneTrial) -> Trial:
    """The trial of the study that a trial of Tune is an attempt at."""
    return Trial.from_json(trial.config["trial"])
