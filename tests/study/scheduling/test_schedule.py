"""Order, retries, holds and the budget, by a clock in our hands."""

import pytest

from search_spaces.paper import TABLES
from study.plan import Trial, plan
from study.scheduling.failures import Failure, Kind
from study.scheduling.schedule import Job, RetryDecision, TrialQueue
from study.scheduling.summary import summary
from wbc_model.models import Baseline

TRIALS = plan(TABLES)
BASELINES = [trial for trial in TRIALS if isinstance(trial.config.model, Baseline)]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def failure(kind: Kind, *, error: str = "E: it", epochs: int = 0) -> Failure:
    return Failure(kind, error, f"Traceback\n{error}", "file.py:3", epochs)


def schedule_of(trials: list[Trial], clock: Clock, *, gpus: float = 0, **arguments: object) -> TrialQueue:
    return TrialQueue(trials, gpus=lambda _: gpus, clock=clock, **arguments)  # pyrefly: ignore[bad-argument-type]


def begin(schedule: TrialQueue) -> Job:
    job = schedule.next()
    assert job is not None
    return job


def test_trials_start_in_their_order_and_it_is_done_when_all_are(clock: Clock):
    schedule = schedule_of(TRIALS[:3], clock)
    started = [begin(schedule).trial for _ in range(3)]
    assert started == TRIALS[:3]
    assert schedule.next() is None
    for trial in started:
        assert not schedule.done
        schedule.finish(trial)
    assert schedule.done
    assert summary(schedule, [], planned=3) == ""


def test_a_lost_worker_costs_nothing_as_long_as_epochs_are_done(clock: Clock):
    schedule = schedule_of(TRIALS[:1], clock)
    for epochs in range(10):
        trial = begin(schedule).trial
        assert schedule.fail(trial, failure(Kind.LOST, epochs=epochs)) is RetryDecision.RETRIED
    for verdict in (RetryDecision.RETRIED, RetryDecision.FAILED):
        assert schedule.fail(begin(schedule).trial, failure(Kind.LOST, epochs=9)) is verdict
    assert schedule.done


def test_a_transient_error_is_tried_again_each_time_later_but_not_for_ever(clock: Clock):
    schedule = schedule_of(TRIALS[:1], clock)
    waits = []
    while True:
        begun = clock.now
        while (job := schedule.next()) is None:
            clock.now += 0.5
        waits.append(clock.now - begun)
        if schedule.fail(job.trial, failure(Kind.TRANSIENT)) is RetryDecision.FAILED:
            break
    assert waits == [0, 1, 10, 60]


def test_out_of_memory_gets_twice_the_gpu_up_to_a_whole_one(clock: Clock):
    schedule = schedule_of(TRIALS[:1], clock, gpus=0.3)
    shares = []
    while job := schedule.next():
        shares.append(job.gpus)
        schedule.fail(job.trial, failure(Kind.MEMORY))
    assert shares == [0.3, 0.6, 1]
    assert schedule.done


@pytest.mark.parametrize("kind", [Kind.DATA, Kind.TRAINING, Kind.CODE, Kind.STORAGE])
def test_what_would_fail_again_is_not_tried_again(kind: Kind, clock: Clock):
    schedule = schedule_of(TRIALS[:1], clock)
    assert schedule.fail(begin(schedule).trial, failure(kind)) is RetryDecision.FAILED
    assert schedule.done


def test_a_code_error_seen_twice_in_a_family_blocks_it_and_no_other(clock: Clock):
    jiang = [t for t in BASELINES if t.config.model.network == "jiang"]  # pyrefly: ignore[missing-attribute]
    rest = [trial for trial in BASELINES if trial not in jiang]
    schedule = schedule_of(jiang + rest, clock)
    for _ in range(2):
        assert begin(schedule).trial in jiang
        schedule.fail(list(schedule.running.values())[0].trial, failure(Kind.CODE))
    started = []
    while job := schedule.next():
        started.append(job.trial)
        schedule.finish(job.trial)
    assert started == rest
    assert schedule.done
    told = summary(schedule, jiang, planned=len(BASELINES))
    assert "stopped 2 trials" in told
    assert f"not started, because other trials failed with the same error, E: it:\n{len(jiang) - 2} trials" in told
    assert "Run the same command again: it runs only these" in told


def test_different_errors_block_nothing(clock: Clock):
    schedule = schedule_of(BASELINES, clock)
    for number in range(len(BASELINES)):
        schedule.fail(begin(schedule).trial, failure(Kind.CODE, error=f"E: {number}"))
    assert len(schedule.failed) == len(BASELINES)


def test_a_storage_that_cannot_be_written_blocks_everything(clock: Clock):
    schedule = schedule_of(TRIALS, clock)
    for _ in range(2):
        schedule.fail(begin(schedule).trial, failure(Kind.STORAGE, error="OSError: full"))
    assert schedule.next() is None
    assert schedule.done


def test_a_trial_that_another_launcher_holds_is_requeued(clock: Clock):
    schedule = schedule_of(TRIALS[:1], clock)
    schedule.requeue(begin(schedule).trial)
    assert schedule.next() is None
    assert not schedule.done
    clock.now += 5
    schedule.finish(begin(schedule).trial)
    assert schedule.done


def test_when_told_to_stop_nothing_more_starts(clock: Clock):
    schedule = schedule_of(TRIALS[:2], clock)
    trial = begin(schedule).trial
    schedule.stopping = True
    assert schedule.next() is None
    assert not schedule.done
    schedule.requeue(trial)
    assert schedule.done


def test_no_trial_starts_that_exceeds_the_remaining_budget(clock: Clock):
    """Four trials of 100 s on half a GPU cost 50 each: 120 reach for two."""
    schedule = schedule_of(TRIALS[:4], clock, gpus=0.5, seconds=lambda _: 100.0, budget=120.0)
    first, second = begin(schedule), begin(schedule)
    assert schedule.next() is None
    clock.now += 1000  # until there is room for them
    schedule.mark_started(first.trial)
    schedule.mark_started(second.trial)
    clock.now += 100
    schedule.finish(first.trial)
    schedule.finish(second.trial)
    assert schedule.spent == pytest.approx(100)
    assert schedule.done
    told = summary(schedule, TRIALS[2:4], planned=4)
    assert "not started, because they exceed the remaining budget: 2 trials" in told
    numbers = sorted({n for t in TRIALS[2:4] for n in t.tables}, key=lambda n: (len(n), n))
    assert f"Incomplete tables: {', '.join(numbers)}." in told
