"""How a study stands, per table, as a person sees it: while it runs, or from another shell. No torch, no ray."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from rich.console import Group
from rich.table import Table
from rich.text import Text

from study.plan import Trial


class Status(StrEnum):
    """Of a planned trial."""

    TO_GO = "to go"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass
class TrialProgress:
    """What is known of a trial."""

    status: Status = Status.TO_GO
    epochs: int = 0
    """Done."""
    best: float = 0.0
    """Highest validation accuracy so far."""


def board(trials: Sequence[Trial], standings: Mapping[str, TrialProgress], *, left: str) -> Group:
    """A row a table and one for all, then what runs.

    Args:
        left: what is known of the time that it will take.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in [*Status, "best validation"]:
        table.add_column(str(name), justify="right")
    numbers = sorted({number for trial in trials for number in trial.tables}, key=lambda n: (len(n), n))
    for number in numbers:
        _add(table, f"Table {number}", [standings[t.id] for t in trials if number in t.tables])
    _add(table, "All, each once", [standings[trial.id] for trial in trials], style="bold")
    running = [trial for trial in trials if standings[trial.id].status is Status.RUNNING]
    lines = [Text(f"  {running_line(trial, standings[trial.id])}", no_wrap=True) for trial in running[:8]]
    more = [Text(f"  ... and {len(running) - 8} more")] if len(running) > 8 else []
    return Group(table, Text(left, style="dim"), *lines, *more)


def running_line(trial: Trial, standing: TrialProgress) -> str:
    """Where a trial is."""
    return f"{trial.name} seed={trial.seed}: epoch {standing.epochs} of {trial.config.epochs}, best {standing.best:.2%}"


def count(standings: Mapping[str, TrialProgress], status: Status) -> int:
    return sum(standing.status is status for standing in standings.values())


def time_left(
    trials: Sequence[Trial],
    standings: Mapping[str, TrialProgress],
    *,
    seconds: Callable[[Trial], float],
    at_a_time: int,
) -> str:
    """From what each trial has still to do.

    Args:
        seconds: what a whole trial takes; 0 if that is not known: then as long as the others on average.
    """
    open_ = [trial for trial in trials if standings[trial.id].status in (Status.TO_GO, Status.RUNNING)]
    whole = [seconds(trial) for trial in open_]
    known = [each for each in map(seconds, trials) if each]
    if not open_:
        return "nothing left"
    if not known:
        return "time left: not known yet"
    each = [own or sum(known) / len(known) for own in whole]
    left = [cost * (1 - standings[t.id].epochs / t.config.epochs) for t, cost in zip(open_, each, strict=True)]
    return f"about {timedelta(seconds=round(sum(left) / max(1, at_a_time)))} left"


def _add(table: Table, label: str, standings: Sequence[TrialProgress], *, style: str = "") -> None:
    counts = [sum(standing.status is status for standing in standings) for status in Status]
    best = max((standing.best for standing in standings), default=0.0)
    shown = [str(number) if number else "·" for number in counts]
    if counts[-1]:
        shown[-1] = f"[red]{counts[-1]}[/red]"
    table.add_row(label, *shown, f"{best:.2%}" if best else "–", style=style)
