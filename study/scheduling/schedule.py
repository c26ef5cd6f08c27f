"""The queue of trials: which one starts next, retries, blocked families and the budget. No ray."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from study.plan import Trial
from study.scheduling.failures import BACK_OFF, MAX_STALLED_ATTEMPTS, Failure, Kind
from study.scheduling.recurring import Recurring

REQUEUE_SECONDS = 5.0
"""Delay before a trial that is leased by another launcher is tried again."""


class RetryDecision(StrEnum):
    """What becomes of a trial whose attempt failed."""

    RETRIED = "retried"
    FAILED = "failed"


@dataclass
class Job:
    """A trial in the queue."""

    trial: Trial
    gpus: float
    """Fraction of a GPU that is enough for it on every device."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """By device, the fraction that is enough there, where that was measured."""
    device: str = ""
    """Where it has started, or is to start."""
    not_before: float = 0
    """Clock time, in seconds, of its earliest start."""
    started: float = 0
    """Clock time, in seconds, of its latest start."""
    failures: list[Failure] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The fraction of a GPU that it takes."""
        return self.share_on(self.device)

    def share_on(self, device: str) -> float:
        return self.shares.get(device, self.gpus)


class TrialQueue:
    """Every trial is waiting, running, finished or failed; a waiting one may be blocked."""

    def __init__(
        self,
        trials: Sequence[Trial],
        *,
        gpus: Callable[[Trial], float],
        shares: Callable[[Trial], Mapping[str, float]] = lambda _: {},
        seconds: Callable[[Trial], float] = lambda _: 0.0,
        budget: float | None = None,
        sample_next: Callable[[], Trial | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            gpus: the fraction of a GPU that is enough for a trial on every device; 0 without GPUs.
            shares: by device, the fraction that is enough there, where that was measured.
            seconds: how long a trial is expected to take on that fraction.
            budget: seconds of whole GPUs (of trials, without GPUs) that may be used.
            sample_next: in a search, gives another trial to start when none is waiting; None: there are no more.
        """
        self.gpus, self.shares, self.seconds, self.budget, self.clock = gpus, shares, seconds, budget, clock
        self.waiting = {trial.id: self._job(trial) for trial in trials}
        self.running: dict[str, Job] = {}
        self.finished: dict[str, Trial] = {}
        self.failed: dict[str, Job] = {}
        self.sample_next = sample_next
        self.spent = 0.0
        self.stopping = False
        """Set from outside: no further trial is started, and a running one ends after its current epoch."""
        self.broken = ""
        """Set from outside: why nothing can run any more, and it is stopping; empty if that is not so."""
        self.recurring = Recurring()

    def next(self) -> Job | None:
        """The first waiting trial that may start now, which then counts as running; None if there is none."""
        if self.stopping:
            return None
        for job in self.waiting.values():
            if job.not_before <= self.clock() and self._startable(job):
                return self._start(job)
        if self.sample_next is not None and (trial := self.sample_next()):
            job = self.waiting[trial.id] = self._job(trial)
            if self._startable(job):
                return self._start(job)
        self.sample_next = None
        return None

    def mark_started(self, trial: Trial) -> None:
        """Its resources were assigned: only from now on does it use the budget."""
        self.running[trial.id].started = self.clock()

    @property
    def done(self) -> bool:
        """Whether nothing runs and no waiting trial will ever start."""
        if self.running:
            return False
        return self.stopping or (self.sample_next is None and not any(map(self._startable, self.waiting.values())))

    def finish(self, trial: Trial) -> None:
        job = self._end(trial)
        self.finished[trial.id] = job.trial

    def leave(self, trial: Trial) -> None:
        """Another launcher has finished it."""
        self._end(trial)

    def withdraw(self, trial: Trial) -> None:
        """Take back a trial that was to start, but has not been given resources yet."""
        self._wait(self.running.pop(trial.id), seconds=0)

    def requeue(self, trial: Trial) -> None:
        """Try a trial again later: another launcher holds its lease, or it was stopped between two epochs."""
        self._wait(self._end(trial), seconds=REQUEUE_SECONDS)

    def fail(self, trial: Trial, failure: Failure) -> RetryDecision:
        """Record a failed attempt, and put the trial back into the queue if it is to be retried."""
        job = self._end(trial)
        job.failures.append(failure)
        self.recurring.add(trial, failure)
        delay = self._delay(job)
        if delay is None:
            self.failed[trial.id] = job
            return RetryDecision.FAILED
        self._wait(job, seconds=delay)
        return RetryDecision.RETRIED

    def forgive(self, node: str) -> list[Trial]:
        """Undo the failures on an unfit node: they count neither as retries nor against a family.

        Returns:
            The trials that had failed for good, and are now in the queue again.
        """
        self.recurring.forgive(node)
        again = [job for job in self.failed.values() if any(failure.node == node for failure in job.failures)]
        for job in (*self.waiting.values(), *self.running.values(), *self.failed.values()):
            job.failures = [failure for failure in job.failures if failure.node != node]
        for job in again:
            del self.failed[job.trial.id]
            self._wait(job, seconds=0)
        return [job.trial for job in again]

    def unaffordable(self) -> list[Trial]:
        """The waiting trials that would exceed the remaining budget."""
        return [job.trial for job in self.waiting.values() if not self._affordable(job)]

    def _job(self, trial: Trial) -> Job:
        return Job(trial, self.gpus(trial), self.shares(trial))

    def _startable(self, job: Job) -> bool:
        """Whether it may start at some time, as far as is known now."""
        return not self.recurring.blocks(job.trial) and self._affordable(job)

    def _start(self, job: Job) -> Job:
        del self.waiting[job.trial.id]
        job.started = self.clock()
        self.running[job.trial.id] = job
        return job

    def _delay(self, job: Job) -> float | None:
        """Seconds until the next attempt, for which a larger fraction of a GPU may be set; None: no further attempt."""
        last = job.failures[-1]
        alike = [failure for failure in job.failures if failure.kind is last.kind]
        if last.kind is Kind.LOST:
            stuck = [failure for failure in alike if failure.epochs == last.epochs]
            return 0 if len(stuck) < MAX_STALLED_ATTEMPTS else None
        if last.kind is Kind.TRANSIENT:
            return BACK_OFF[len(alike) - 1] if len(alike) <= len(BACK_OFF) else None
        if last.kind is Kind.MEMORY and 0 < job.share < 1:
            job.gpus, job.shares = max(job.gpus, min(1, 2 * job.share)), {}
            return 0
        return None

    def _wait(self, job: Job, *, seconds: float) -> None:
        """Put a job at the head of the queue, so that started trials are finished before others start."""
        job.not_before = self.clock() + seconds
        self.waiting = {job.trial.id: job} | self.waiting

    def _end(self, trial: Trial) -> Job:
        job = self.running.pop(trial.id)
        self.spent += (self.clock() - job.started) * (job.share or 1)
        return job

    def _affordable(self, job: Job) -> bool:
        if self.budget is None:
            return True
        now = self.clock()
        committed = sum(
            max(now - other.started, self.seconds(other.trial)) * (other.share or 1) for other in self.running.values()
        )
        return self.spent + committed + self.seconds(job.trial) * (job.gpus or 1) <= self.budget


def by_reason(jobs: Mapping[str, Job]) -> dict[tuple[Kind, str, str], list[Job]]:
    """Failed trials, grouped by the kind, location and message of their last failure."""
    groups: dict[tuple[Kind, str, str], list[Job]] = defaultdict(list)
    for job in jobs.values():
        last = job.failures[-1]
        groups[last.kind, last.where, last.error].append(job)
    return groups
