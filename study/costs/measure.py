"""`--calibrate`: what unfinished trials cost on each kind of device here, measured before a launch."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from study.costs.cost import Cost
from study.costs.model import Costs, Pool
from study.plan import Trial
from study.ray_backend.driver import calibrate, pack
from study.ray_backend.fitness import admitted, await_fit_node
from study.ray_backend.nodes import pools
from study.session import connected_costs
from study.settings import Settings
from study.storage import Storage


def calibrated(trials: Sequence[Trial], settings: Settings) -> Costs:
    """The costs in storage, completed by a short calibration of what is unknown on each kind of device here."""
    costs = connected_costs(settings)
    if not trials:
        return costs
    roster = admitted(trials, settings, costs, leave_out=True)
    await_fit_node(roster, settings, costs)
    costs.pools = pools(roster.fit.values())
    for pool in costs.pools:
        names = roster.names(pool.device)
        alone = _measure(costs.unknown(trials, pool.device), pool, settings, costs, names)
        if pool.gpus and settings.gpus is None:
            _pack(max(trials, key=costs.seconds), alone, pool, settings, costs, names)
    return costs


def _measure(
    unknown: Sequence[Trial], pool: Pool, settings: Settings, costs: Costs, names: Sequence[str]
) -> list[tuple[Trial, Cost]]:
    """Measure what trials cost on the nodes of a pool without other trials."""
    began = time.monotonic()
    alone: list[tuple[Trial, Cost]] = []
    for trial, cost, seconds in calibrate(unknown, settings, names=names, gpus=min(1, pool.gpus)):
        alone.append((trial, cost))
        if len(alone) == 1:  # the time until the first trial began, as in a launch
            costs.start = time.monotonic() - began - seconds
        print(f"[{len(alone)}/{len(unknown)}] {trial.name} on {pool.device}: {cost.epoch_seconds:.3g} s per epoch, "
              f"{cost.overhead_seconds:.3g} s overhead", file=sys.stderr, flush=True)  # fmt: skip
        costs.learn(trial, cost, pool.device)
        costs.write(Storage(settings.storage))
    return alone


def _pack(
    longest: Trial,
    alone: Sequence[tuple[Trial, Cost]],
    pool: Pool,
    settings: Settings,
    costs: Costs,
    names: Sequence[str],
) -> None:
    """Measure how many concurrent trials a GPU serves best, and scale the costs that were measured alone to that."""
    if numbers := costs.to_measure(longest, pool, cpus=settings.cpus):
        rates = costs.rates[pool.device] = pack(longest, settings, numbers, names=names)
        for n, rate in rates.items():
            print(f"{n} concurrent on {pool.device}: {rate:.3g} steps per second in total, {rate / rates[1]:.2f} x one",
                  file=sys.stderr)  # fmt: skip
    for trial, cost in alone:
        slowdown = costs.slowdown(trial, pool, cpus=settings.cpus)
        costs.learn(trial, replace(cost, epoch_seconds=cost.epoch_seconds * slowdown), pool.device)
    costs.write(Storage(settings.storage))
