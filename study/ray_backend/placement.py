"""Which nodes a trial may start on, in a cluster that may have several kinds of device."""

import math
from collections.abc import Sequence

from study.costs.model import Costs, Pool
from study.ray_backend.nodes import pools
from study.ray_backend.roster import Roster
from study.scheduling.schedule import Job, TrialQueue
from study.settings import Settings

ROUNDING = 1e-9
"""Three thirds of a GPU are one."""


class Placement:
    """Gives each trial one kind of device: of those with room, the one on which it is the fastest.

    One on which it has not been measured comes last.
    """

    def __init__(self, schedule: TrialQueue, roster: Roster, costs: Costs, settings: Settings) -> None:
        self.schedule, self.roster, self.costs, self.settings = schedule, roster, costs, settings

    def place(self, job: Job) -> list[str]:
        """Choose the device of a trial that is to start; returns the ids of the nodes on which it may start."""

        def order(pool: Pool) -> tuple[bool, float]:
            cost = self.costs.of(job.trial, pool.device)
            return not self._has_room(job, pool), cost.seconds(job.trial.config) if cost else math.inf

        job.device = min(pools(self.roster.fit.values()), key=order).device
        return self.roster.names(job.device)

    def outdated(self, job: Job, names: Sequence[str]) -> bool:
        """Whether a trial that waits for resources on these nodes should be placed again."""
        if names != self.roster.names(job.device):
            return True
        room = {pool.device: self._has_room(job, pool) for pool in pools(self.roster.fit.values())}
        return not room[job.device] and any(room.values())

    def _has_room(self, job: Job, pool: Pool) -> bool:
        """Whether the other trials leave enough of a pool."""
        others = [each for each in self.schedule.running.values() if each is not job and each.device == pool.device]
        cores = (len(others) + 1) * self.settings.cpus
        gpus = sum(each.share for each in others) + job.share_on(pool.device)
        return cores <= pool.cores + ROUNDING and gpus <= pool.gpus + ROUNDING
