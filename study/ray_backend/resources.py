"""The resources of a trial, and the requests for them to an autoscaling cluster."""

import math
import time
from collections.abc import Callable

from ray.autoscaler.sdk import request_resources

from study.costs.model import Costs
from study.ray_backend.nodes import Node
from study.ray_backend.roster import Roster
from study.scheduling.schedule import TrialQueue
from study.settings import Settings

ASK = 10.0
"""Seconds until an autoscaling cluster, which looks every 5 s, is asked for something else."""
LOOK = 1.0
"""Seconds between two looks for a node that was requested."""


def bundle(cpus: float, gpus: float) -> dict[str, float]:
    """The resources of a trial, as Ray wants them."""
    return {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}


def gpus_of_trial(settings: Settings, costs: Costs) -> float:
    """GPUs that a node needs for a trial."""
    return min(1, costs.gpus) if settings.gpus is None else settings.gpus


def has_room(node: Node, *, settings: Settings, costs: Costs) -> bool:
    """Whether a node, when nothing runs on it, has the resources of a trial."""
    return node.cpus >= settings.cpus and node.gpus >= gpus_of_trial(settings, costs)


def request(gpus: float, settings: Settings, *, trials: int) -> None:
    """Ask for nodes on which so many trials would fit if nothing ran, in place of what was asked for before."""
    request_resources(bundles=trials * [bundle(settings.cpus, gpus)])


class Demand:
    """Asks an autoscaling cluster for nodes as long as trials wait. Other clusters do not heed it.

    It asks for one node, and for twice as many as have come after that, because Ray grants all that is asked for or
    nothing, up to the largest size of the cluster. The doctor examines those that have come before it asks for others.
    """

    def __init__(self, schedule: TrialQueue, settings: Settings, roster: Roster) -> None:
        self.schedule, self.settings, self.roster = schedule, settings, roster
        self.next_ask, self.had = 0.0, 0

    def look(self) -> None:
        if time.monotonic() < self.next_ask:
            return
        self.next_ask = time.monotonic() + ASK
        running, waiting = list(self.schedule.running.values()), list(self.schedule.waiting.values())
        gpus = max((job.gpus for job in running + waiting), default=self.settings.gpus or 0)
        usable = [node for node in self.roster.nodes() if self.roster.room(node)]
        has = sum(self._holds(node, gpus) for node in usable)
        held = sum(self._holds(node, gpus) for node in self.roster.fit.values())
        wanted = len(running) + len(waiting) + bool(self.schedule.sample_next)
        more = max(1, 2 * (has - self.had)) if all(map(self.roster.knows, usable)) else 0
        request(gpus, self.settings, trials=has + min(more, wanted - held) if wanted > held else 0)
        self.had = has

    def _holds(self, node: Node, gpus: float) -> int:
        """How many trials fit on a node."""
        return int(min(node.cpus / self.settings.cpus, node.gpus / gpus if gpus else math.inf))


def request_until(there: Callable[[], object], settings: Settings, costs: Costs) -> None:
    """Ask for a node with room for a trial until a condition holds."""
    if there():
        return
    request(gpus_of_trial(settings, costs), settings, trials=1)
    try:
        while not there():
            time.sleep(LOOK)
    finally:
        request(0, settings, trials=0)
