"""How many trials at a time a GPU serves best: measured with processes that train side by side. Loads torch, no ray."""

import multiprocessing as mp
import time
from collections.abc import Iterable
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from typing import Any

from study.costs import useful
from study.plan import Trial
from study.settings import Settings

STEPS, SECONDS = 12, 5.0
"""Training steps of an epoch, and how long epochs are done for."""
READY = 600.0
"""Seconds that the slowest process may take to be ready."""


def measure(trial: Trial, settings: Settings, numbers: Iterable[int], *, seconds: float = SECONDS) -> dict[int, float]:
    """Training steps a second, of so many processes together; numbers that rise, until one gains nothing.

    More than one that cannot all go on, as where memory ends, do no step.

    Raises:
        RuntimeError: not even one can go on; its error is on standard error.
    """
    rates: dict[int, float] = {}
    for n in numbers:
        rates[n] = _together(trial, settings, n, seconds)
        if n not in useful(rates):
            break
    if not any(rates.values()):
        raise RuntimeError(f"{trial.name} does not train where it would run: its error is above")
    return rates


def _together(trial: Trial, settings: Settings, n: int, seconds: float) -> float:
    """Of n processes, which begin to count together; none if one of them failed."""
    context = mp.get_context("spawn")  # CUDA cannot be forked
    barrier, counts = context.Barrier(n), context.SimpleQueue()
    words = (trial.to_json(), settings.to_json(), seconds, barrier, counts)
    processes = [context.Process(target=_train, args=words) for _ in range(n)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        return 0.0
    return sum(counts.get() for _ in processes)


def _train(
    trial_json: dict[str, Any], settings_json: dict[str, Any], seconds: float, barrier: Barrier, counts: Any
) -> None:
    """Steps a second, from when all are warm on."""
    from study.calibrate import part  # torch loads here
    from study.execute import prepared
    from wbc_model.device import choose
    from wbc_model.network import build
    from wbc_model.train import fit

    trial, settings = Trial.from_json(trial_json), Settings.from_json(settings_json)
    try:
        config, device = replace(trial.config, epochs=10**6), choose()
        data = prepared(config, settings)
        train, none = part(data.sets["train"], STEPS * config.batch_size), part(data.sets["validation"], 1)
        model = build(config, seed=trial.seed, weights=settings.weights)
        epochs = fit(model, train, none, config, seed=trial.seed, device=device, capture=not settings.eager)
        next(epochs)
        barrier.wait(READY)
    except BaseException:
        barrier.abort()
        raise
    done, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        next(epochs)
        done += len(train) // config.batch_size
    counts.put(done / passed)
