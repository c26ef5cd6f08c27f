"""What the launcher makes of the order in which Ray Tune tells it things, with Tune's own trials and no cluster."""

from pathlib import Path
from typing import Any

import pytest
from ray.tune.experiment import Trial as TuneTrial

from search_spaces.paper import TABLES
from study.costs.model import Costs
from study.plan import Trial, plan
from study.progress.live import Progress
from study.ray_backend.callback import ScheduleCallback
from study.ray_backend.nodes import Node
from study.ray_backend.placement import Placement
from study.ray_backend.roster import Roster
from study.ray_backend.runner import NODE
from study.ray_backend.tune_hooks import ScheduleSearcher
from study.scheduling.failures import Failure, Kind
from study.scheduling.schedule import TrialQueue
from study.settings import Settings
from study.trial.attempt import OUTCOME

TRIAL = plan(TABLES)[0]
HOST = Node("a", "host-a", "10.0.0.1", cpus=4, gpus=1, device="H100")
FAILED = Failure(Kind.MEMORY, "OutOfMemoryError", "", "file.py:3", 0)
"""It is tried again at once, with a larger share of the GPU."""


class Launch:
    """One trial, and what Tune would tell of it."""

    def __init__(self, storage: Path, *, planned: list[Trial]) -> None:
        settings = Settings(data="none", storage=str(storage), cache=storage)
        self.schedule = TrialQueue([TRIAL], gpus=lambda _: 0.5)
        self.progress = Progress(planned, finished={}, seconds=lambda _: 0, quiet=True)
        roster = Roster([HOST], [], nodes=lambda: [HOST], room=lambda _: True, examine=_unasked)
        costs = Costs()
        self.callback = ScheduleCallback(self.schedule, self.progress, costs, settings, roster)
        self.callback.demand.look = lambda: None  # there is no cluster to ask for nodes
        placement = Placement(self.schedule, roster, costs, settings)
        self.searcher = ScheduleSearcher(self.schedule, settings, placement, self.callback.look)

    def suggested(self) -> TuneTrial:
        config = self.searcher.suggest("name")
        assert config is not None
        return TuneTrial("runner", config=config, stub=True)

    def start(self, trial: TuneTrial) -> None:
        self.callback.on_trial_start(0, [], trial)
        self.result(trial, {NODE: HOST.id})

    def result(self, trial: TuneTrial, row: dict[str, Any]) -> None:
        self.callback.on_trial_result(0, [], trial, row)
        trial.update_last_result(row)


def _unasked(*_: object) -> Any:
    raise AssertionError


def test_the_end_of_a_failed_attempt_s_worker_does_not_count_as_a_failure_of_the_next_attempt(tmp_path: Path):
    launch = Launch(tmp_path, planned=[TRIAL])
    first = launch.suggested()
    launch.start(first)
    launch.result(first, {OUTCOME: FAILED.to_json()})
    second = launch.suggested()
    launch.callback.on_trial_error(0, [], first)  # its process is not reused
    launch.start(second)
    launch.result(second, {"epoch": 0, "validation_accuracy": 0.5})
    assert [failure.kind for failure in launch.schedule.running[TRIAL.id].failures] == [Kind.MEMORY]


@pytest.mark.parametrize("planned", [[TRIAL], []], ids=["planned", "search"])
def test_a_worker_that_dies_before_its_trial_starts_is_replaced(tmp_path: Path, planned: list[Trial]):
    launch = Launch(tmp_path, planned=planned)
    launch.callback.on_trial_error(0, [], launch.suggested())
    assert [failure.kind for failure in launch.schedule.waiting[TRIAL.id].failures] == [Kind.LOST]
    assert launch.progress.planned == [TRIAL]
