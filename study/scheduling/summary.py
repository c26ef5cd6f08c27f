"""The summary at the end of a launch: what failed and why, what was not started, and how to continue."""

from collections.abc import Iterable, Sequence

from study.plan import Trial
from study.scheduling.failures import ADVICE
from study.scheduling.schedule import TrialQueue, by_reason
from wbc_model.plain_text import counted


def summary(schedule: TrialQueue, missing: Sequence[Trial], *, planned: int) -> str:
    """Lines for the terminal; empty if nothing is missing.

    Args:
        missing: the planned trials without a record in storage, whatever the schedule says.
    """
    parts = []
    for (kind, _, _), jobs in by_reason(schedule.failed).items():
        last = jobs[0].failures[-1]
        parts.append(f"{last.traceback}\n\nstopped {_listed(job.trial for job in jobs)}\n{kind}: {ADVICE[kind]}.")
    waiting = [job.trial for job in schedule.waiting.values()]
    for error in dict.fromkeys(schedule.recurring.blocks(trial) for trial in waiting):
        if error:
            blocked = [trial for trial in waiting if schedule.recurring.blocks(trial) == error]
            parts.append(f"not started, because other trials failed with the same error, {error}:\n{_listed(blocked)}")
    if unaffordable := [trial for trial in schedule.unaffordable() if not schedule.recurring.blocks(trial)]:
        numbers = sorted({number for trial in unaffordable for number in trial.tables}, key=lambda n: (len(n), n))
        parts.append(f"not started, because they exceed the remaining budget: {_listed(unaffordable)}\n"
                     f"Incomplete tables: {', '.join(numbers)}.")  # fmt: skip
    known = {*schedule.failed, *schedule.running, *(trial.id for trial in waiting)}
    if lost := [trial for trial in missing if trial.id not in known]:
        parts.append(f"reported finished, but no record was written: {_listed(lost)}")
    if schedule.broken:
        parts.append(f"{schedule.broken}, perhaps for want of memory: see the kernel's log (dmesg) and `ray logs`.")
    if missing:
        parts.append(f"{len(missing)} of {planned} trials are missing. Run the same command again: it runs only these.")
    return "".join(f"\n{part}\n" for part in parts)


def _listed(trials: Iterable[Trial]) -> str:
    lines = [f"  {trial.id}  {trial.name}" for trial in trials]
    return "\n".join([f"{counted(len(lines), 'trial')}:", *lines])
