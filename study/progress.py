"""What a person sees of a running study: a line for each trial that ends, and one in a while for those that run."""

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from study.plan import Trial

BEST = "validation_accuracy"
EVERY = 30
"""Seconds that progress is silent at most, while trials report epochs."""


class Progress:
    """Done, running, to go, best so far, time left."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.total, self.done, self.began = len(trials), 0, time.monotonic()
        self.told = self.began
        self.running: dict[str, float] = {}
        """Best validation accuracy of each running trial."""
        self.best: dict[str, float] = {}
        """Best validation accuracy on each dataset."""

    def started(self, trial: Trial) -> None:
        self.running[trial.id] = 0.0

    def epoch(self, trial: Trial, row: Mapping[str, Any]) -> None:
        accuracy = row[BEST]
        self.running[trial.id] = max(self.running.get(trial.id, 0.0), accuracy)
        self.best[trial.config.dataset] = max(self.best.get(trial.config.dataset, 0.0), accuracy)
        if time.monotonic() - self.told > EVERY:
            self._tell(trial, f"epoch {row['epoch'] + 1} of {trial.config.epochs}, validation {accuracy:.2%}")

    def finished(self, trial: Trial) -> None:
        self.done += 1
        self._tell(trial, f"validation {self.running.pop(trial.id, 0.0):.2%}")

    def failed(self, trial: Trial, reason: str) -> None:
        self.done += 1
        self.running.pop(trial.id, None)
        self._tell(trial, f"FAILED: {reason}")

    def retried(self, trial: Trial, reason: str) -> None:
        self.running.pop(trial.id, None)
        self._tell(trial, f"to be tried again: {reason}")

    def held(self, trial: Trial, by: str) -> None:
        self.running.pop(trial.id, None)

    def _tell(self, trial: Trial, news: str) -> None:
        self.told = time.monotonic()
        running, dataset = len(self.running), trial.config.dataset
        each = (self.told - self.began) / self.done if self.done else 0
        left = f"about {timedelta(seconds=round(each * (self.total - self.done)))}" if self.done else "unknown time"
        print(
            f"[{self.done}/{self.total}] {trial.name}: {news} · best on {dataset} {self.best.get(dataset, 0):.2%} · "
            f"{running} running, {self.total - self.done - running} to go, {left} left",
            file=sys.stderr,
            flush=True,
        )
