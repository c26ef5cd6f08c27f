"""How many trials at a time a GPU serves best: measured with processes that train side by side. Loads torch, no ray."""

import multiprocessing as mp
import time
from collections.abc import Iterable
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError
from typing import Any

from study.costs.model import useful
from study.plan import Trial
from study.settings import Settings

SECONDS = 5.0
"""How long shortened epochs are done for."""
READY = 600.0
"""Seconds that the slowest process may take to be ready."""


def measure(trial: Trial, settings: Settings, numbers: Iterable[int], *, seconds: float = SECONDS) -> dict[int, float]:
    """Training steps a second, of so many processes together; numbers that rise, until one gains nothing.

    More than one that cannot all go on, as where memory ends, do no step.

    Raises:
        RuntimeError: not even one can go on, with what it ended in.
    """
    rates: dict[int, float] = {}
    for n in numbers:
        answers = _together(trial, settings, n, seconds)
        done = [answer for answer in answers if isinstance(answer, float)]
        rates[n] = sum(done) if len(done) == n else 0.0
        if not any(rates.values()):
            raise RuntimeError(f"{trial.name} does not train where it would run: {answers[0] if answers else 'killed'}")
        if n not in useful(rates):
            break
    return rates


def _together(trial: Trial, settings: Settings, n: int, seconds: float) -> list[float | str]:
    """The rates of n processes, which begin to count together, or the errors of those that could not begin."""
    context = mp.get_context("spawn")  # CUDA cannot be forked
    barrier, answers = context.Barrier(n), context.SimpleQueue()
    words = (trial.to_json(), settings.to_json(), seconds, barrier, answers)
    processes = [context.Process(target=_train, args=words) for _ in range(n)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    told: list[float | str] = []
    while not answers.empty():
        told.append(answers.get())
    return told


def _train(
    trial_json: dict[str, Any], settings_json: dict[str, Any], seconds: float, barrier: Barrier, answers: Any
) -> None:
    """Steps a second, from when all are warm on."""
    from study.costs.calibrate import shortened  # torch loads here
    from wbc_model.training.device import choose

    trial, settings = Trial.from_json(trial_json), Settings.from_json(settings_json)
    try:
        training = shortened(trial, settings, epochs=10**6, device=choose())
        next(training.epochs)
        barrier.wait(READY)
    except BrokenBarrierError:
        return
    except Exception as error:  # told to the one that asked
        answers.put(f"{type(error).__name__}: {error}")
        barrier.abort()
        return
    done, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        next(training.epochs)
        done += training.steps
    answers.put(done / passed)
