"""What trials take together, if each starts in order as soon as resources are free. No torch, no ray."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from study.costs.cost import Cost
from study.costs.model import Costs, Pool
from study.plan import Trial


@dataclass
class Slot:
    """The resources of one trial."""

    pool: Pool
    free: float
    """Seconds since the launch at which its last trial ends."""


class Run(NamedTuple):
    """A trial as it would run."""

    trial: Trial
    cost: Cost
    used: float
    """Seconds of a GPU; of a core, without GPUs."""


@dataclass(frozen=True)
class Share:
    """The resources of a trial."""

    cpus: float
    gpus: float | None
    """None: what was measured."""

    def of(self, trial: Trial, costs: Costs, pool: Pool) -> float:
        """The fraction of a GPU; 0 without GPUs."""
        return costs.gpu_fraction(trial, pool, cpus=self.cpus) if self.gpus is None else self.gpus


def slots(trials: Iterable[Trial], costs: Costs, share: Share) -> list[Slot]:
    """All that can run at the same time, if each trial takes as much of a GPU as the largest."""
    trials, found = list(trials), []
    for pool in costs.pools:
        largest = max((share.of(trial, costs, pool) for trial in trials), default=0)
        found += [Slot(pool, costs.start) for _ in range(pool.concurrent(cpus=share.cpus, gpus=largest))]
    return found


def simulated(trials: Iterable[Trial], costs: Costs, every: Sequence[Slot], share: Share) -> list[Run]:
    """Fill the slots with the trials, in order: each takes the first that is free, of several the fastest."""
    runs = []
    for trial in costs.in_order(trials):
        choices = [(slot.free, cost.seconds(trial.config), n, cost) for n, slot in enumerate(every)
                   if (cost := costs.of(trial, slot.pool.device))]  # fmt: skip
        free, seconds, n, cost = min(choices, key=lambda choice: choice[:2])
        every[n].free = free + seconds
        runs.append(Run(trial, cost, seconds * (share.of(trial, costs, every[n].pool) or share.cpus)))
    return runs


def totals(
    trials: Sequence[Trial], costs: Costs, *, cpus: float, gpus: float | None, keeps: Callable[[Trial], bool]
) -> dict[str, Any]:
    """GPU-hours (core-hours without a GPU), wall-clock hours and GB of storage, and how many costs are unknown.

    Args:
        cpus, gpus: of one trial; None leaves the share of a GPU to what was measured.
        keeps: whether a finished trial keeps its model.
    """
    known, share = [trial for trial in trials if costs.everywhere(trial)], Share(cpus, gpus)
    every = slots(known, costs, share)
    runs = simulated(known, costs, every, share)
    kept = sum(run.cost.stored + keeps(run.trial) * run.cost.weights for run in runs)
    checkpoints = len(every) * max((run.cost.checkpoint for run in runs), default=0)
    return {
        "hours": sum(run.used for run in runs) / 3600,
        "wall_hours": max((slot.free for slot in every), default=0.0) / 3600 if runs else 0.0,
        "stored_gb": (kept + checkpoints) / 1e9,
        "unknown": len(trials) - len(known),
    }
