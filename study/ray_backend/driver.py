"""Run trials on a Ray cluster, or on this machine."""

import errno
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import ray
from ray import tune
from ray.tune.error import TuneError
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

from study.costs.cost import Cost
from study.costs.model import Costs, Pool
from study.plan import Trial
from study.progress.live import BEST, Progress
from study.ray_backend.callback import ScheduleCallback
from study.ray_backend.connect import connect
from study.ray_backend.nodes import among, nodes, pools
from study.ray_backend.placement import Placement
from study.ray_backend.resources import request
from study.ray_backend.roster import Roster
from study.ray_backend.runner import Runner
from study.ray_backend.tune_hooks import ScheduleSearcher, StopAtEpochScheduler
from study.ray_backend.watch import watched
from study.scheduling.interrupt import interruptible
from study.scheduling.schedule import TrialQueue
from study.settings import Settings
from study.temporary import temporary_folder
from study.tracking.wandb_run import environment
from wbc_model.errors import InputError

UNLIMITED = -1
"""Number of Tune's samples: as many as the schedule gives."""


def start(*, cpus: float, gpus: float | None) -> list[Pool]:
    """Join the running Ray cluster, or start Ray on this machine; returns the nodes with room for a trial.

    Where none has, those that have cores, as others like them may join; a head that is to run nothing has none.

    Args:
        cpus: cores of each trial.
        gpus: GPUs of each trial; None: as many as it turns out to need, at most one.

    Raises:
        InputError: no cluster answers, or no node has the resources of a trial and none can join.
    """
    cluster, private = connect()
    gpus = min(1, cluster.get("GPU", 0)) if gpus is None else gpus
    _require_node(cpus=cpus, gpus=gpus, can_join=not private)
    workers = [node for node in nodes() if node.cpus]
    return pools([node for node in workers if node.cpus >= cpus and node.gpus >= gpus] or workers)


def calibrate(
    trials: Sequence[Trial], settings: Settings, *, names: Sequence[str], gpus: float
) -> Iterator[tuple[Trial, Cost, float]]:
    """Run a few steps of each trial where it would run; yields each with its cost and how many seconds that took.

    On a GPU each trial runs in its own process, because a process keeps the GPU memory it has used until it ends.

    Args:
        names: ids of the nodes to run on.
        gpus: of one trial.
    """
    task = ray.remote(max_calls=int(gpus > 0))(_measure).options(
        num_cpus=settings.cpus, num_gpus=gpus, label_selector=among(names)
    )
    waiting = {task.remote(trial.to_json(), settings.to_json()): trial for trial in trials}
    while waiting:
        (done, *_), _ = ray.wait(list(waiting))
        cost, seconds = ray.get(done)
        yield waiting.pop(done), Cost(**cost), seconds


def _measure(trial: dict[str, Any], settings: dict[str, Any]) -> tuple[dict[str, Any], float]:
    from study.costs.calibrate import measure  # torch loads in the worker

    began = time.monotonic()
    return asdict(measure(Trial.from_json(trial), Settings.from_json(settings))), time.monotonic() - began


def pack(trial: Trial, settings: Settings, numbers: Sequence[int], *, names: Sequence[str]) -> dict[int, float]:
    """Training steps per second in total, by the number of concurrent processes on one GPU of these nodes."""
    task = ray.remote(_pack).options(num_cpus=settings.cpus, num_gpus=1, label_selector=among(names))
    return ray.get(task.remote(trial.to_json(), settings.to_json(), numbers))


def _pack(trial: dict[str, Any], settings: dict[str, Any], numbers: Sequence[int]) -> dict[int, float]:
    from study.costs.packing import measure

    return measure(Trial.from_json(trial), Settings.from_json(settings), numbers)


def launch(
    schedule: TrialQueue,
    progress: Progress,
    costs: Costs,
    settings: Settings,
    roster: Roster,
    *,
    asha: bool = False,
) -> None:
    """Run what the schedule gives, on the nodes of the roster; the outcomes are then in the schedule and in storage.

    Args:
        asha: stop trials early that are worse than half of the others at the same epoch. For searches only, since a
            stopped trial fills no table.

    Raises:
        InputError: the disk of Ray's temporary folder is full.
    """
    halving = ASHAScheduler(time_attr="epoch", metric=BEST, mode="max", max_t=10_000, reduction_factor=2)
    placement = Placement(schedule, roster, costs, settings)
    callback = ScheduleCallback(schedule, progress, costs, settings, roster)
    with temporary_folder("tune") as bookkeeping, interruptible(schedule), watched(schedule), progress, _room():
        tune.Tuner(
            tune.with_parameters(Runner, environment=environment(settings)),
            tune_config=tune.TuneConfig(
                search_alg=ScheduleSearcher(schedule, settings, placement, callback.look),
                scheduler=StopAtEpochScheduler(schedule, halving if asha else FIFOScheduler(), placement),
                num_samples=UNLIMITED,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=time.strftime("%Y%m%d-%H%M%S"),
                storage_path=bookkeeping,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                callbacks=[callback],
                verbose=0,
            ),
        ).fit()
        request(0, settings, trials=0)


@contextmanager
def _room() -> Iterator[None]:
    """Tell of Ray's temporary folder if its disk is full: Tune, which writes there, ends then and does not name it.

    Raises:
        InputError: it is full.
    """
    try:
        yield
    except (OSError, TuneError) as error:
        if os.strerror(errno.ENOSPC) not in str(error):
            raise
        raise InputError(
            "the disk of Ray's temporary folder on this machine (/tmp/ray, or in RAY_TMPDIR) is full, and so the study "
            "ends: make room there and launch it again. Each trial goes on from its last completed epoch"
        ) from error


def _require_node(*, cpus: float, gpus: float, can_join: bool) -> None:
    """Print a line if no node has the resources of a trial, and one per node whose GPUs its cores cannot keep busy.

    Raises:
        InputError: no node has them, and none can join.
    """
    every = nodes()
    if not any(node.cpus >= cpus and node.gpus >= gpus for node in every):
        lacking = f"no node has the {cpus:g} CPUs and {gpus:g} GPUs of a trial"
        if not can_join:
            has = ", ".join(f"{node.cpus:g} CPUs and {node.gpus:g} GPUs" for node in every)
            raise InputError(
                f"{lacking}: this machine has {has}. Lower --cpus or --gpus, or join a cluster (RAY_ADDRESS)"
            )
        print(f"{lacking}: waiting for such a node to join", file=sys.stderr)
    for node in every:
        by_cpus, by_gpus = node.cpus // cpus, node.gpus // gpus if gpus else 0
        if by_cpus < by_gpus:
            print(f"CPU-bound: a node's {node.cpus:g} CPUs run {by_cpus:g} trials, its GPUs could run {by_gpus:g}; "
                  "lower --cpus", file=sys.stderr)  # fmt: skip
