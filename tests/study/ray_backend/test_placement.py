"""Where trials go in a cluster with several kinds of device, without Ray."""

from dataclasses import replace
from pathlib import Path

import pytest

from search_spaces.paper import TABLES
from study.costs.cost import Cost
from study.costs.model import Costs
from study.plan import plan
from study.ray_backend.nodes import Node
from study.ray_backend.placement import Placement
from study.ray_backend.roster import Roster
from study.scheduling.failures import Failure, Kind
from study.scheduling.schedule import Job, TrialQueue
from study.settings import Settings

TRIALS = [replace(plan(TABLES)[0], seed=seed) for seed in range(9)]
FAST = Node("fast", "host-fast", "10.0.0.1", cpus=8, gpus=1, device="H100")
SLOW = Node("slow", "host-slow", "10.0.0.2", cpus=8, gpus=1, device="L4")
SHARES = {"H100": 1 / 4, "L4": 1 / 2}
COST = Cost(epoch_seconds=1.0, overhead_seconds=1.0)


class Launch:
    """Trials on two nodes."""

    def __init__(self, storage: Path, *, measured: dict[str, float], cpus: float = 1) -> None:
        settings, costs = Settings(data="none", storage=str(storage), cache=storage, cpus=cpus), Costs()
        for device, seconds in measured.items():
            costs.learn(TRIALS[0], replace(COST, epoch_seconds=seconds), device)
        shares = {device: SHARES[device] for device in measured}
        self.schedule = TrialQueue(TRIALS, gpus=lambda _: 1.0, shares=lambda _: shares)
        self.roster = Roster([FAST, SLOW], [], nodes=lambda: [], room=lambda _: True, examine=lambda *_: iter(()))
        self.placement = Placement(self.schedule, self.roster, costs, settings)

    def start(self) -> Job:
        job = self.schedule.next()
        assert job is not None
        self.placement.place(job)
        return job

    def devices(self, n: int) -> list[str]:
        return [self.start().device for _ in range(n)]


def test_trials_fill_the_fastest_and_then_the_other_each_as_was_measured(tmp_path: Path):
    launch = Launch(tmp_path, measured={"L4": 3.0, "H100": 1.0})
    assert launch.devices(6) == 4 * ["H100"] + 2 * ["L4"]
    assert sum(job.share for job in launch.schedule.running.values()) == pytest.approx(2)


def test_where_nothing_was_measured_a_trial_has_a_whole_gpu_and_comes_last(tmp_path: Path):
    launch = Launch(tmp_path, measured={"L4": 3.0})
    assert launch.devices(3) == ["L4", "L4", "H100"]
    assert [job.share for job in launch.schedule.running.values()] == [0.5, 0.5, 1.0]


def test_cores_limit_as_gpus_do(tmp_path: Path):
    launch = Launch(tmp_path, measured={"L4": 3.0, "H100": 1.0}, cpus=4)
    assert launch.devices(4) == ["H100", "H100", "L4", "L4"]


def test_a_trial_that_waits_for_one_device_takes_another_as_soon_as_that_has_room(tmp_path: Path):
    launch = Launch(tmp_path, measured={"L4": 3.0, "H100": 1.0})
    running = [launch.start() for _ in range(6)]
    waiting = launch.start()
    assert (waiting.device, launch.roster.names(waiting.device)) == ("H100", ["fast"])
    assert not launch.placement.outdated(waiting, ["fast"])
    launch.schedule.finish(running[-1].trial)
    assert launch.placement.outdated(waiting, ["fast"])
    launch.schedule.withdraw(waiting.trial)
    assert launch.start() is waiting
    assert waiting.device == "L4"


def test_a_trial_that_waits_for_a_node_that_is_gone_is_placed_again(tmp_path: Path):
    launch = Launch(tmp_path, measured={"L4": 3.0, "H100": 1.0})
    job = launch.start()
    del launch.roster.fit["fast"]
    assert launch.placement.outdated(job, ["fast"])


def test_a_trial_that_ran_out_of_memory_gets_twice_as_much_on_every_device(tmp_path: Path):
    launch = Launch(tmp_path, measured={"L4": 3.0, "H100": 1.0})
    launch.schedule.gpus = lambda _: 0.5
    job = launch.start()
    assert (job.device, job.share) == ("H100", 0.25)
    launch.schedule.fail(job.trial, Failure(Kind.MEMORY, "OutOfMemoryError", "", "file.py:3", 0))
    assert {device: job.share_on(device) for device in SHARES} == {"H100": 1.0, "L4": 1.0}
