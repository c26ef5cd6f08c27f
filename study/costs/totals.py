"""What trials take together, if each starts in order as soon as resources are free. No torch, no ray."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from study.costs.cost import Cost
from study.costs.model import Costs, Pool
from study.plan import Trial


@dataclass(frozen=True)
class Share:
    """The resources of a trial."""

    cpus: float
    gpus: float | None
    """None: what was measured."""

    def of(self, trial: Trial, costs: Costs, pool: Pool) -> float:
        """The fraction of a GPU; 0 without GPUs."""
        return costs.gpu_fraction(trial, pool, cpus=self.cpus) if self.gpus is None else self.gpus


class Use(NamedTuple):
    """What a trial would take."""

    trial: Trial
    cost: Cost
    seconds: float
    """Of a GPU; of a core, without GPUs."""


def free_from(trials: Sequence[Trial], costs: Costs, share: Share) -> list[list[float]]:
    """For each pool, from when on it has room for each of the trials that it runs concurrently, in seconds.

    All are assumed to take as much of a GPU as the largest.
    """
    largest = [max((share.of(trial, costs, pool) for trial in trials), default=0) for pool in costs.pools]
    numbers = [pool.concurrent(cpus=share.cpus, gpus=gpus) for pool, gpus in zip(costs.pools, largest, strict=True)]
    return [[costs.start] * number for number in numbers]


def fill(free: list[list[float]], trials: Sequence[Trial], costs: Costs, share: Share) -> list[Use]:
    """Start the trials in order, each in the pool that has room first, of several the fastest; changes `free`."""
    uses = []
    for trial in costs.in_order(trials):
        known = [(n, cost) for n, pool in enumerate(costs.pools) if (cost := costs.of(trial, pool.device))]
        n, cost = min(known, key=lambda one: (free[one[0]][0], one[1].seconds(trial.config)))
        seconds = cost.seconds(trial.config)
        heapq.heapreplace(free[n], free[n][0] + seconds)
        uses.append(Use(trial, cost, seconds * (share.of(trial, costs, costs.pools[n]) or share.cpus)))
    return uses


def totals(
    trials: Sequence[Trial], costs: Costs, *, cpus: float, gpus: float | None, keeps: Callable[[Trial], bool]
) -> dict[str, Any]:
    """GPU-hours (core-hours without a GPU), wall-clock hours and GB of storage, and how many costs are unknown.

    Args:
        cpus, gpus: of one trial; None leaves the share of a GPU to what was measured.
        keeps: whether a finished trial keeps its model.
    """
    known, share = [trial for trial in trials if costs.everywhere(trial)], Share(cpus, gpus)
    free = free_from(known, costs, share)
    uses = fill(free, known, costs, share)
    kept = sum(use.cost.stored + keeps(use.trial) * use.cost.weights for use in uses)
    checkpoints = sum(map(len, free)) * max((use.cost.checkpoint for use in uses), default=0)
    return {
        "hours": sum(use.seconds for use in uses) / 3600,
        "wall_hours": max(map(max, free)) / 3600 if uses else 0.0,
        "stored_gb": (kept + checkpoints) / 1e9,
        "unknown": len(trials) - len(known),
    }
