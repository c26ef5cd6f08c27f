"""What a person sees of a running study: a board at a terminal, else a line for each trial that ends."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live

from study.plan import Trial
from study.progress.table import Status, TrialProgress, board, count, time_left

BEST = "validation_accuracy"
EVERY = 30
"""Seconds that lines are silent at most, while trials report epochs."""


class Progress:
    """Told what happens; a context in which it is shown."""

    def __init__(
        self,
        planned: Sequence[Trial],
        *,
        finished: Mapping[str, float],
        seconds: Callable[[Trial], float],
        quiet: bool = False,
    ) -> None:
        """
        Args:
            finished: id and best validation accuracy of trials that were finished before.
            seconds: what a trial takes; 0 if that is not known.
        """
        self.planned, self.seconds, self.quiet = list(planned), seconds, quiet
        self.standings = {trial.id: TrialProgress() for trial in planned}
        for name, best in finished.items():
            self.standings[name] = TrialProgress(Status.DONE, best=best)
        self.told = time.monotonic()
        console = Console(stderr=True)
        shown = console.is_terminal and not quiet
        self.live = Live(get_renderable=self._board, console=console, refresh_per_second=2) if shown else None

    def __enter__(self) -> Self:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.live:
            self.live.stop()

    def started(self, trial: Trial) -> None:
        if trial.id not in self.standings:  # a search chooses as it goes
            self.planned.append(trial)
            self.standings[trial.id] = TrialProgress()
        self.standings[trial.id].status = Status.RUNNING

    def epoch(self, trial: Trial, row: Mapping[str, Any]) -> None:
        standing = self.standings[trial.id]
        standing.epochs, standing.best = int(row["epoch"]) + 1, max(standing.best, row[BEST])
        if time.monotonic() - self.told > EVERY:
            self._tell(trial, f"epoch {standing.epochs} of {trial.config.epochs}, validation {row[BEST]:.2%}")

    def finished(self, trial: Trial) -> None:
        self._end(trial, Status.DONE, f"validation {self.standings[trial.id].best:.2%}")

    def failed(self, trial: Trial, reason: str) -> None:
        self._end(trial, Status.FAILED, f"FAILED: {reason}")

    def retried(self, trial: Trial, reason: str) -> None:
        self._end(trial, Status.TO_GO, f"to be tried again: {reason}")

    def stopped(self, trial: Trial) -> None:
        """Between two epochs, or another launcher has it."""
        self.standings[trial.id].status = Status.TO_GO

    def _end(self, trial: Trial, status: Status, news: str) -> None:
        self.standings[trial.id].status = status
        self._tell(trial, news)

    def _tell(self, trial: Trial, news: str) -> None:
        self.told = time.monotonic()
        if self.quiet:
            return
        running, done = count(self.standings, Status.RUNNING), count(self.standings, Status.DONE)
        same = [t.id for t in self.planned if t.config.dataset == trial.config.dataset]
        best = max(self.standings[name].best for name in same)
        line = f"[{done}/{len(self.standings)}] {trial.name}: {news} · best on {trial.config.dataset} {best:.2%}"
        if self.live:
            if self.standings[trial.id].status is not Status.RUNNING:
                self.live.console.print(line, highlight=False, markup=False)
            return
        to_go = count(self.standings, Status.TO_GO)
        print(f"{line} · {running} running, {to_go} to go, {self._left()}", file=sys.stderr, flush=True)

    def _left(self) -> str:
        running = count(self.standings, Status.RUNNING)
        return time_left(self.planned, self.standings, seconds=self.seconds, at_a_time=running)

    def _board(self) -> Any:
        return board(self.planned, self.standings, left=self._left())
