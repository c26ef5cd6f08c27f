"""The progress of a study as a table for a terminal, one row per table of the paper. No torch, no ray."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from study.plan import Trial
from wbc_model.plain_text import printable


class Status(StrEnum):
    """Status of a planned trial."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass
class TrialProgress:
    """Progress of a trial."""

    status: Status = Status.PENDING
    epochs: int = 0
    """Epochs completed."""
    best: float = 0.0
    """Highest validation accuracy so far."""
    damaged: Sequence[str] = ()
    """What is wrong with each of its files that cannot be read."""


def board(trials: Sequence[Trial], progress: Mapping[str, TrialProgress], *, left: str) -> Group:
    """A row per table and one for all, then the running trials.

    Args:
        left: the remaining time, in words.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in [*Status, "best validation"]:
        table.add_column(str(name), justify="right")
    numbers = sorted({number for trial in trials for number in trial.tables}, key=lambda n: (len(n), n))
    for number in numbers:
        _add(table, f"Table {printable(escape(number))}", [progress[t.id] for t in trials if number in t.tables])
    _add(table, "All, each once", [progress[trial.id] for trial in trials], style="bold")
    running = [trial for trial in trials if progress[trial.id].status is Status.RUNNING]
    lines = [Text(printable(f"  {running_line(trial, progress[trial.id])}"), no_wrap=True) for trial in running[:8]]
    more = [Text(f"  ... and {len(running) - 8} more")] if len(running) > 8 else []
    return Group(table, Text(left, style="dim"), *lines, *more)


def running_line(trial: Trial, progress: TrialProgress) -> str:
    """A trial and its epoch."""
    return f"{trial.name} seed={trial.seed}: epoch {progress.epochs} of {trial.config.epochs}, best {progress.best:.2%}"


def count(progress: Mapping[str, TrialProgress], status: Status) -> int:
    return sum(each.status is status for each in progress.values())


def time_left(
    trials: Sequence[Trial],
    progress: Mapping[str, TrialProgress],
    *,
    seconds: Callable[[Trial], float],
    at_a_time: int,
) -> str:
    """The remaining time, in words, from the epochs that each trial has left.

    Args:
        seconds: expected duration of a whole trial; 0 if unknown, which counts as the mean of the others.
        at_a_time: how many trials run concurrently.
    """
    open_ = [trial for trial in trials if progress[trial.id].status in (Status.PENDING, Status.RUNNING)]
    whole = [seconds(trial) for trial in open_]
    known = [each for each in map(seconds, trials) if each]
    if not open_:
        return "nothing left"
    if not known:
        return "time left: unknown"
    each = [own or sum(known) / len(known) for own in whole]
    left = [cost * (1 - progress[t.id].epochs / t.config.epochs) for t, cost in zip(open_, each, strict=True)]
    return f"about {timedelta(seconds=round(sum(left) / max(1, at_a_time)))} left"


def _add(table: Table, label: str, progress: Sequence[TrialProgress], *, style: str = "") -> None:
    counts = [sum(each.status is status for each in progress) for status in Status]
    best = max((each.best for each in progress), default=0.0)
    shown = [str(number) if number else "·" for number in counts]
    if counts[-1]:
        shown[-1] = f"[red]{counts[-1]}[/red]"
    table.add_row(label, *shown, f"{best:.2%}" if best else "–", style=style)
