"""The display of a running study: a live table at a terminal, otherwise a line for each trial that ends."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live

from study.plan import Trial
from study.progress.table import Status, TrialProgress, board, count, time_left
from wbc_model.plain_text import printable

BEST = "validation_accuracy"
MAX_SILENCE = 30
"""Seconds without a line after which the next epoch is reported, too."""


class Progress:
    """Is told what happens to each trial, and shows it while used as a context manager."""

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
            seconds: expected duration of a trial; 0 if unknown.
        """
        self.planned, self.seconds, self.quiet = list(planned), seconds, quiet
        self.progress = {trial.id: TrialProgress() for trial in planned}
        for name, best in finished.items():
            self.progress[name] = TrialProgress(Status.DONE, best=best)
        self.holders: dict[str, str] = {}
        """By trial id, the process that was last found to work on it."""
        self.last_line = time.monotonic()
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

    def of(self, trial: Trial) -> TrialProgress:
        if trial.id not in self.progress:  # a search plans while it runs
            self.planned.append(trial)
            self.progress[trial.id] = TrialProgress()
        return self.progress[trial.id]

    def started(self, trial: Trial) -> None:
        self.of(trial).status = Status.RUNNING

    def epoch(self, trial: Trial, row: Mapping[str, Any]) -> None:
        progress = self.of(trial)
        progress.epochs, progress.best = int(row["epoch"]) + 1, max(progress.best, row[BEST])
        if time.monotonic() - self.last_line > MAX_SILENCE:
            self._tell(trial, f"epoch {progress.epochs} of {trial.config.epochs}, validation {row[BEST]:.2%}")

    def finished(self, trial: Trial) -> None:
        self._end(trial, Status.DONE, f"validation {self.of(trial).best:.2%}")

    def finished_elsewhere(self, trial: Trial) -> None:
        self._end(trial, Status.DONE, "finished by another launcher")

    def held(self, trial: Trial, holder: str) -> None:
        """Another process works on it, which is told once."""
        self.stopped(trial)
        if self.holders.get(trial.id) != holder:
            self.holders[trial.id] = holder
            self._tell(trial, f"held by {holder}: it is tried again until that has finished it or is gone")

    def failed(self, trial: Trial, reason: str) -> None:
        self._end(trial, Status.FAILED, f"FAILED: {reason}")

    def retried(self, trial: Trial, reason: str) -> None:
        self._end(trial, Status.PENDING, f"will be retried: {reason}")

    def stopped(self, trial: Trial) -> None:
        """It was stopped between two epochs."""
        self.of(trial).status = Status.PENDING

    def tell(self, lines: Iterable[str]) -> None:
        """Print what a worker has to say."""
        for line in lines:
            if self.live:
                self.live.console.print(line, highlight=False, markup=False)
            else:
                print(line, file=sys.stderr, flush=True)

    def _end(self, trial: Trial, status: Status, news: str) -> None:
        self.of(trial).status = status
        self._tell(trial, news)

    def _tell(self, trial: Trial, news: str) -> None:
        self.last_line = time.monotonic()
        if self.quiet:
            return
        running, done = count(self.progress, Status.RUNNING), count(self.progress, Status.DONE)
        same = [t.id for t in self.planned if t.config.dataset == trial.config.dataset]
        best = max(self.progress[name].best for name in same)
        line = printable(
            f"[{done}/{len(self.progress)}] {trial.name}: {news} · best on {trial.config.dataset} {best:.2%}"
        )
        if self.live:
            if self.of(trial).status is not Status.RUNNING:
                self.live.console.print(line, highlight=False, markup=False)
            return
        pending = count(self.progress, Status.PENDING)
        print(f"{line} · {running} running, {pending} pending, {self._left()}", file=sys.stderr, flush=True)

    def _left(self) -> str:
        running = count(self.progress, Status.RUNNING)
        return time_left(self.planned, self.progress, seconds=self.seconds, at_a_time=running)

    def _board(self) -> Any:
        return board(self.planned, self.progress, left=self._left())
