"""One launch from the planned trials to the summary: what `study/run.py` does when there is something to run."""

import sys
import time
from collections.abc import Sequence
from datetime import timedelta

from study.costs.model import FILE, Costs
from study.plan import RunRecord, Trial, remaining
from study.progress.live import BEST, Progress
from study.provenance import no_commit
from study.ray_backend.driver import launch, start
from study.ray_backend.fitness import absent_lines, admitted, await_node, checkups
from study.reconcile import report
from study.scheduling.schedule import TrialQueue
from study.scheduling.summary import summary
from study.search import Search
from study.settings import LaunchOptions, Settings
from study.storage import Storage, check_creates_once, set_aside, write_plan
from study.temporary import sweep_temporary_folders
from study.trial.kept_model import without_model
from wbc_model.errors import STOPPED, InputError
from wbc_model.plain_text import counted


def doctor(trials: Sequence[Trial], settings: Settings) -> int:
    """Print for each node whether it is fit, and how to repair it; 0 if all are fit, else 1."""
    costs = connected_costs(settings)
    await_node(settings, costs)
    found = checkups(trials, settings, costs)
    missing = absent_lines()
    print(*found, *missing, sep="\n")
    return int(bool(missing) or not all(checkup.fit for checkup in found))


def run(trials: Sequence[Trial], settings: Settings, options: LaunchOptions) -> int:
    """Launch what is not finished, then print what failed and what is missing; the exit status.

    Raises:
        InputError: there is a budget, and the cost of a trial is unknown; or nodes are unfit.
    """
    storage = Storage(settings.storage)
    records = storage.records().intact
    done = {trial.id: _best(records[trial.id]) for trial in trials if trial.id in records}
    to_run = remaining(trials, done)
    print(f"{counted(len(trials), 'trial')}: {len(done)} finished, {len(to_run)} to run. Results: {settings.storage}. "
          f"W&B: {settings.tracking}.", file=sys.stderr, flush=True)  # fmt: skip
    for line in without_model([trial for trial in trials if trial.id in done], settings):
        print(line, file=sys.stderr)
    sweep_temporary_folders()
    write_plan(storage, trials)
    if not to_run:
        return 0
    print(no_commit(), end="\n" * bool(no_commit()), file=sys.stderr)
    costs = connected_costs(settings)
    if options.budget_hours is not None and (unknown := costs.unknown(to_run)):
        raise InputError(f"--budget needs the cost of every trial, and {len(unknown)} kinds of trials have not been "
                         f"measured here ({unknown[0].name}, ...): run --calibrate first")  # fmt: skip
    roster = admitted(to_run, settings, costs, leave_out=options.leave_out_unfit)
    schedule = _schedule(costs.in_order(to_run), settings, costs, budget_hours=options.budget_hours)
    progress = Progress(trials, finished=done, seconds=costs.seconds, quiet=options.quiet)
    began = time.monotonic()
    launch(schedule, progress, costs, settings, roster)
    unit = "GPU" if costs.gpus else "core"
    print(f"{counted(len(schedule.finished), 'trial')} in {timedelta(seconds=round(time.monotonic() - began))}, "
          f"{schedule.spent / 3600:.3g} {unit}-hours.", file=sys.stderr)  # fmt: skip
    missing = remaining(trials, storage.finished())
    print(summary(schedule, missing, planned=len(trials)), end="", file=sys.stderr)
    if schedule.stopping:
        return _stopped(schedule)
    return int(bool(missing)) or compare_online([_record(storage, trial) for trial in to_run], settings)


def _stopped(schedule: TrialQueue) -> int:
    """The exit status of a launch that was stopped: by Ctrl-C, or because Ray died."""
    return 1 if schedule.broken else STOPPED


def compare_online(records: Sequence[RunRecord], settings: Settings) -> int:
    """Compare the runs of trials that are finished with W&B's server, if they were sent to it; 1 if they differ."""
    if settings.tracking != "online":
        return 0
    try:
        return report(records, settings)
    except InputError as error:
        print(f"All trials are finished and in storage, but could not be compared with W&B: {error}\n"
              f"To compare them later: python -m study.reconcile --storage {settings.storage} (--repair sends what W&B "
              "lacks).", file=sys.stderr)  # fmt: skip
        return 1


def run_search(search: Search, settings: Settings, options: LaunchOptions, *, asha: bool) -> int:
    """Train samples until there are as many as requested, then print the winner; the exit status."""
    for file, problem in search.damaged().items():
        print(f"{problem}; it is kept as {set_aside(file).name}, and drawn again", file=sys.stderr)
    sweep_temporary_folders()
    print(f"search {search.name}: {len(search.known())} of {search.samples} samples drawn. Results: "
          f"{settings.storage}. W&B: {settings.tracking}.", file=sys.stderr, flush=True)  # fmt: skip
    costs = connected_costs(settings)
    roster = admitted([search.example()], settings, costs, leave_out=options.leave_out_unfit)
    schedule = _schedule([], settings, costs, budget_hours=options.budget_hours, search=search)
    progress = Progress([], finished={}, seconds=costs.seconds, quiet=options.quiet)
    launch(schedule, progress, costs, settings, roster, asha=asha)
    missing = [job.trial for job in (*schedule.failed.values(), *schedule.waiting.values())]
    print(summary(schedule, missing, planned=search.samples), end="", file=sys.stderr)
    print(search.conclude())
    return _stopped(schedule) if schedule.stopping else int(bool(missing))


def connected_costs(settings: Settings) -> Costs:
    """Connect to Ray; the costs in storage, for the devices that it has.

    Raises:
        InputError: the storage cannot hold leases; or the cluster has no node yet, so it is unknown whether trials will
            have GPUs.
    """
    check_creates_once(Storage(settings.storage).root)
    costs = _read_costs(Storage(settings.storage))
    found = start(cpus=settings.cpus, gpus=settings.gpus)
    if not found and settings.gpus is None:
        raise InputError("the cluster has no worker yet, so it is unknown whether its nodes have GPUs: give the "
                         "number of GPUs per trial with --gpus (0 without GPUs)")  # fmt: skip
    if {pool.device for pool in found} != {pool.device for pool in costs.pools}:
        costs.start = 0
    costs.pools = found or costs.pools  # until a node has joined, such nodes as last time are expected
    return costs


def _read_costs(storage: Storage) -> Costs:
    """The costs in storage; if they are damaged, they are set aside after a line that says so."""
    costs, damaged = Costs.read_or_none(storage)
    for problem in damaged:
        print(f"{problem}; it is kept as {storage.set_aside(FILE)}, and costs are learned again", file=sys.stderr)
    return costs


def _schedule(
    trials: Sequence[Trial],
    settings: Settings,
    costs: Costs,
    *,
    budget_hours: float | None,
    search: Search | None = None,
) -> TrialQueue:
    def gpus(trial: Trial) -> float:
        return settings.gpus if settings.gpus is not None else max(shares(trial).values(), default=0.0)

    def shares(trial: Trial) -> dict[str, float]:
        if settings.gpus is not None:
            return {}
        return {pool.device: costs.gpu_fraction(trial, pool, cpus=settings.cpus) for pool in costs.pools}

    budget = None if budget_hours is None else 3600 * budget_hours
    sample_next = search.next if search else None
    return TrialQueue(trials, gpus=gpus, shares=shares, seconds=costs.seconds, budget=budget, sample_next=sample_next)


def _record(storage: Storage, trial: Trial) -> RunRecord:
    record = storage.trial(trial.id).record()
    assert record is not None
    return record


def _best(record: RunRecord) -> float:
    return max((row[BEST] for row in record.curves), default=0.0)
