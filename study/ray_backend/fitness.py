"""Which nodes of the cluster are fit to train on, told to the user before anything starts."""

import sys
import time
from collections.abc import Collection, Generator, Sequence
from functools import partial

from study.costs.model import Costs
from study.plan import Trial
from study.ray_backend.absent import absent
from study.ray_backend.nodes import Checkup, Node, examination, examined, here, nodes
from study.ray_backend.resources import has_room, request_until
from study.ray_backend.roster import Roster
from study.ray_backend.watch import own_servers
from study.settings import Settings
from wbc_model.errors import InputError


def checkups(trials: Sequence[Trial], settings: Settings, costs: Costs) -> list[Checkup]:
    """Examine every node, and print how many are fit."""
    began = time.monotonic()
    found = examined(nodes(), trials, settings, share=_largest_share(trials, costs))
    fit = sum(checkup.fit for checkup in found)
    print(f"doctor: {fit} of {len(found)} nodes are fit ({time.monotonic() - began:.0f} s)", file=sys.stderr)
    return found


def absent_lines() -> list[str]:
    """A line for each machine of an SSH cluster's file that has not joined it."""
    return [f"absent {address}: {finding}" for address, finding in absent(node.address for node in nodes()).items()]


def admitted(trials: Sequence[Trial], settings: Settings, costs: Costs, *, leave_out: bool) -> Roster:
    """The nodes that get trials. If there are several nodes, all are examined first.

    Raises:
        InputError: a node is unfit and `leave_out` is not set, or no fit node could run a trial.
    """
    print(*(missing := absent_lines()), sep="\n", end="\n" * bool(missing), file=sys.stderr)
    every, room = nodes(), partial(has_room, settings=settings, costs=costs)
    found = checkups(trials, settings, costs) if len(every) > 1 else [Checkup(node, []) for node in every]
    reported = [checkup for checkup in found if checkup.findings]
    print(*reported, sep="\n", end="\n" * bool(reported), file=sys.stderr)
    fit, unfit = ([checkup.node for checkup in found if checkup.fit is wanted] for wanted in (True, False))
    if unfit and not any(map(room, fit)):
        raise InputError("no fit node could run a trial")
    if unfit and not leave_out:
        raise InputError(f"{len(unfit)} nodes are unfit: repair them, or run on the others with --leave-out-unfit")

    launcher = next(node for node in every if node.id == here())

    def examine(some: Sequence[Node], idle: Collection[Node]) -> Generator[None, None, list[Checkup]]:
        asked = [launcher, *(node for node in some if node != launcher)]
        return examination(asked, trials, settings, share=_largest_share(trials, costs), idle=idle)

    return Roster(fit, unfit, nodes=(lambda: every) if own_servers() else nodes, room=room, examine=examine)


def await_fit_node(roster: Roster, settings: Settings, costs: Costs) -> None:
    """If no node has room for a trial yet, wait until one that is fit has joined."""

    def there() -> bool:
        for change in roster.look():
            print(change, file=sys.stderr, flush=True)
        return bool(roster.fit)

    request_until(there, settings, costs)


def await_node(settings: Settings, costs: Costs) -> None:
    """If no node has room for a trial yet, wait until one has joined."""
    request_until(lambda: any(has_room(node, settings=settings, costs=costs) for node in nodes()), settings, costs)


def _largest_share(trials: Sequence[Trial], costs: Costs) -> float:
    """The fraction of a GPU's memory that the largest trial takes; 0 if unknown."""
    return max((cost.memory for trial in trials for cost in costs.everywhere(trial)), default=0.0)
