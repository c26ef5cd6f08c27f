"""What a launch ends with: what failed and why, what was not started, and what to type next."""

from collections.abc import Iterable, Sequence

from study.plan import Trial
from study.scheduling.failures import ADVICE
from study.scheduling.schedule import TrialQueue, by_reason


def digest(schedule: TrialQueue, missing: Sequence[Trial], *, planned: int) -> str:
    """Lines for the terminal; empty where nothing is missing.

    Args:
        missing: those of the planned trials that have no record in storage, whatever the schedule says.
    """
    parts = []
    for (kind, _, _), jobs in by_reason(schedule.failed).items():
        last = jobs[0].failures[-1]
        parts.append(f"{last.traceback}\n\nstopped {_counted(job.trial for job in jobs)}\n{kind}: {ADVICE[kind]}.")
    waiting = [job.trial for job in schedule.waiting.values()]
    for error in dict.fromkeys(schedule.held(trial) for trial in waiting):
        if error:
            held = [trial for trial in waiting if schedule.held(trial) == error]
            parts.append(f"not started, for two trials ended alike in {error}:\n{_counted(held)}")
    if dear := [trial for trial in schedule.unaffordable() if not schedule.held(trial)]:
        numbers = sorted({number for trial in dear for number in trial.tables}, key=lambda n: (len(n), n))
        parts.append(f"the budget does not reach for {_counted(dear)}\nTables that lack cells: {', '.join(numbers)}.")
    known = {*schedule.failed, *(trial.id for trial in waiting)}
    if lost := [trial for trial in missing if trial.id not in known]:
        parts.append(f"without a record, though told finished: {_counted(lost)}")
    if missing:
        parts.append(f"{len(missing)} of {planned} trials are missing. The same command again runs only these.")
    return "".join(f"\n{part}\n" for part in parts)


def _counted(trials: Iterable[Trial]) -> str:
    lines = [f"  {trial.id}  {trial.name}" for trial in trials]
    return "\n".join([f"{len(lines)} trials:" if len(lines) > 1 else "1 trial:", *lines])
