"""Which nodes of the cluster are fit to train on, told to the user before anything starts."""

import sys
import time
from collections.abc import Sequence

from study.costs.model import Costs
from study.plan import Trial
from study.ray_backend.absent import absent
from study.ray_backend.nodes import Checkup, examined, nodes
from study.settings import Settings
from wbc_model.errors import InputError


def checkups(trials: Sequence[Trial], settings: Settings, costs: Costs) -> list[Checkup]:
    """Examine every node, and print how many are fit."""
    began = time.monotonic()
    largest = max((cost.memory for trial in trials if (cost := costs.of(trial))), default=0.0)
    found = examined(trials, settings, share=largest)
    fit = sum(checkup.fit for checkup in found)
    print(f"doctor: {fit} of {len(found)} nodes are fit ({time.monotonic() - began:.0f} s)", file=sys.stderr)
    return found


def absent_lines() -> list[str]:
    """A line for each machine of an SSH cluster's file that has not joined it."""
    return [f"absent {address}: {finding}" for address, finding in absent(node.address for node in nodes()).items()]


def unfit_nodes(trials: Sequence[Trial], settings: Settings, costs: Costs, *, leave_out: bool) -> list[str]:
    """Ids of the nodes that get no trial. If there are several nodes, all are examined first.

    Raises:
        InputError: a node is unfit and `leave_out` is not set, or no fit node could run a trial.
    """
    print(*(missing := absent_lines()), sep="\n", end="\n" * bool(missing), file=sys.stderr)
    if len(nodes()) == 1:
        return []
    found = checkups(trials, settings, costs)
    reported = [checkup for checkup in found if checkup.findings]
    print(*reported, sep="\n", end="\n" * bool(reported), file=sys.stderr)
    unfit = [checkup for checkup in found if not checkup.fit]
    gpus = settings.gpus or min(1, costs.machine.gpus if costs.machine else 0)
    left = [c for c in found if c.fit and c.node.cpus >= settings.cpus and c.node.gpus >= gpus]
    if unfit and not left:
        raise InputError("no fit node could run a trial")
    if unfit and not leave_out:
        raise InputError(f"{len(unfit)} nodes are unfit: repair them, or run on the others with --leave-out-unfit")
    return [checkup.node.id for checkup in unfit]
