"""What is to be started next, and what a failure leads to: the order, retries, holds and the budget. No ray."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from study.plan import Trial
from study.scheduling.failures import BACK_OFF, MAX_STALLED_ATTEMPTS, Failure, Kind
from wbc_model.config import Baseline

LOOK_AGAIN = 5.0
"""Seconds until a trial that another holds is asked for again."""


class RetryDecision(StrEnum):
    """What becomes of a trial whose attempt failed."""

    RETRIED = "retried"
    FAILED = "failed"


@dataclass
class Job:
    """A trial on its way."""

    trial: Trial
    gpus: float
    """Share of a GPU it gets."""
    not_before: float = 0
    started: float = 0
    failures: list[Failure] = field(default_factory=list)


class TrialQueue:
    """Every trial is waiting, running, finished or failed; those waiting may be held for good."""

    def __init__(
        self,
        trials: Sequence[Trial],
        *,
        gpus: Callable[[Trial], float],
        seconds: Callable[[Trial], float] = lambda _: 0.0,
        budget: float | None = None,
        more: Callable[[], Trial | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            gpus: share of a GPU that each trial needs; none where there is none.
            seconds: what a trial takes, of the share it has.
            budget: seconds of whole GPUs (of slots, where there is none) that may be used.
            more: what to start when nothing waits, until it gives none.
        """
        self.waiting = {trial.id: Job(trial, gpus(trial)) for trial in trials}
        self.running: dict[str, Job] = {}
        self.finished: dict[str, Trial] = {}
        self.failed: dict[str, Job] = {}
        self.gpus, self.seconds, self.budget, self.clock, self.more = gpus, seconds, budget, clock, more
        self.spent = 0.0
        self.stopping = False
        """Set from outside: nothing more is started, and what runs ends with its epoch."""
        self.seen: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        """Trials by family, place and text of a failure that is likely to come again."""

    def next(self) -> Job | None:
        """The first in order that may start now; it counts as running."""
        if self.stopping:
            return None
        for job in self.waiting.values():
            if job.not_before <= self.clock() and self._startable(job):
                return self._start(job)
        if self.more is not None and (trial := self.more()):
            job = self.waiting[trial.id] = Job(trial, self.gpus(trial))
            if self._startable(job):
                return self._start(job)
        self.more = None
        return None

    def begin(self, trial: Trial) -> None:
        """It has what it needs now: until then it costs nothing."""
        self.running[trial.id].started = self.clock()

    @property
    def done(self) -> bool:
        """Nothing runs, and nothing that waits will ever start."""
        if self.running:
            return False
        return self.stopping or (self.more is None and not any(map(self._startable, self.waiting.values())))

    def finish(self, trial: Trial) -> None:
        job = self._end(trial)
        self.finished[trial.id] = job.trial

    def look_again(self, trial: Trial) -> None:
        """Another launcher has it: it will be finished, or its holder dead, some time."""
        self._wait(self._end(trial), seconds=LOOK_AGAIN)

    def fail(self, trial: Trial, failure: Failure) -> RetryDecision:
        job = self._end(trial)
        job.failures.append(failure)
        if failure.kind in (Kind.CODE, Kind.PLACE):
            self.seen[_family(trial, failure), failure.where, failure.error].add(trial.id)
        delay = self._delay(job)
        if delay is None:
            self.failed[trial.id] = job
            return RetryDecision.FAILED
        self._wait(job, seconds=delay)
        return RetryDecision.RETRIED

    def held(self, trial: Trial) -> str:
        """The error that two trials of its family have ended in alike, or none."""
        families = {_family(trial), "everything"}
        return next((e for (family, _, e), ids in self.seen.items() if family in families and len(ids) > 1), "")

    def unaffordable(self) -> list[Trial]:
        """Those that wait for more than the budget has left."""
        return [job.trial for job in self.waiting.values() if not self._affordable(job)]

    def _startable(self, job: Job) -> bool:
        """Some time, as far as is known now."""
        return not self.held(job.trial) and self._affordable(job)

    def _start(self, job: Job) -> Job:
        del self.waiting[job.trial.id]
        job.started = self.clock()
        self.running[job.trial.id] = job
        return job

    def _delay(self, job: Job) -> float | None:
        """Seconds until the next attempt; None: there will be none. A larger share of a GPU is given here."""
        last = job.failures[-1]
        alike = [failure for failure in job.failures if failure.kind is last.kind]
        if last.kind is Kind.LOST:
            stuck = [failure for failure in alike if failure.epochs == last.epochs]
            return 0 if len(stuck) < MAX_STALLED_ATTEMPTS else None
        if last.kind is Kind.TRANSIENT:
            return BACK_OFF[len(alike) - 1] if len(alike) <= len(BACK_OFF) else None
        if last.kind is Kind.MEMORY and 0 < job.gpus < 1:
            job.gpus = min(1, 2 * job.gpus)
            return 0
        return None

    def _wait(self, job: Job, *, seconds: float) -> None:
        """First in the order again, when its time has come: what has begun is finished before other things begin."""
        job.not_before = self.clock() + seconds
        self.waiting = {job.trial.id: job} | self.waiting

    def _end(self, trial: Trial) -> Job:
        job = self.running.pop(trial.id)
        self.spent += (self.clock() - job.started) * (job.gpus or 1)
        return job

    def _affordable(self, job: Job) -> bool:
        if self.budget is None:
            return True
        now = self.clock()
        committed = sum(
            max(now - other.started, self.seconds(other.trial)) * (other.gpus or 1) for other in self.running.values()
        )
        return self.spent + committed + self.seconds(job.trial) * (job.gpus or 1) <= self.budget


def _family(trial: Trial, failure: Failure | None = None) -> str:
    """Trials that share code: of one kind of network. Of a place that cannot be written, all of them."""
    if failure is not None and failure.kind is Kind.PLACE:
        return "everything"
    model = trial.config.model
    return model.network.value if isinstance(model, Baseline) else "two_branch"


def by_reason(jobs: Mapping[str, Job]) -> dict[tuple[Kind, str, str], list[Job]]:
    """Failed trials by what they failed of."""
    groups: dict[tuple[Kind, str, str], list[Job]] = defaultdict(list)
    for job in jobs.values():
        last = job.failures[-1]
        groups[last.kind, last.where, last.error].append(job)
    return groups
