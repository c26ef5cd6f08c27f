"""Measure how many concurrent trials a GPU serves best, with processes that train together. Loads torch, no ray."""

import multiprocessing as mp
import time
from collections.abc import Iterable
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError
from typing import Any

from study.costs.model import worthwhile_counts
from study.plan import Trial
from study.settings import Settings

SECONDS = 5.0
"""Duration of each measurement."""
READY = 600.0
"""Timeout, in seconds, for the slowest process to start training."""


def measure(trial: Trial, settings: Settings, numbers: Iterable[int], *, seconds: float = SECONDS) -> dict[int, float]:
    """Training steps per second in total, by the number of concurrent processes.

    Args:
        numbers: how many processes to try, ascending; the first that is not worthwhile is the last one tried. A number
            of which not all can train, for lack of memory, has a rate of 0.

    Raises:
        RuntimeError: not even one process can train; with its error.
    """
    rates: dict[int, float] = {}
    for n in numbers:
        answers = _together(trial, settings, n, seconds)
        done = [answer for answer in answers if isinstance(answer, float)]
        rates[n] = sum(done) if len(done) == n else 0.0
        if not any(rates.values()):
            raise RuntimeError(
                f"{trial.name} cannot train on the device it would run on: {answers[0] if answers else 'killed'}"
            )
        if n not in worthwhile_counts(rates):
            break
    return rates


def _together(trial: Trial, settings: Settings, n: int, seconds: float) -> list[float | str]:
    """Steps per second of each of n processes, measured at the same time, or the error of one that cannot train."""
    context = mp.get_context("spawn")  # CUDA cannot be forked
    barrier, answers = context.Barrier(n), context.SimpleQueue()
    words = (trial.to_json(), settings.to_json(), seconds, barrier, answers)
    processes = [context.Process(target=_train, args=words) for _ in range(n)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    collected: list[float | str] = []
    while not answers.empty():
        collected.append(answers.get())
    return collected


def _train(
    trial_json: dict[str, Any], settings_json: dict[str, Any], seconds: float, barrier: Barrier, answers: Any
) -> None:
    """Put into `answers` the steps per second of this process, measured once all processes are warm."""
    from study.costs.calibrate import shortened  # torch loads here
    from wbc_model.training.device import choose

    trial, settings = Trial.from_json(trial_json), Settings.from_json(settings_json)
    try:
        training = shortened(trial, settings, epochs=10**6, device=choose())
        next(training.epochs)
        barrier.wait(READY)
    except BrokenBarrierError:
        return
    except Exception as error:  # reported to the parent process
        answers.put(f"{type(error).__name__}: {error}")
        barrier.abort()
        return
    done, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        next(training.epochs)
        done += training.steps
    answers.put(done / passed)
