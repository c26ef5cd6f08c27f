"""Ctrl-C and SIGTERM: once to stop after the current epochs, twice to stop at once."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from study.scheduling.schedule import TrialQueue


@contextmanager
def interruptible(schedule: TrialQueue) -> Iterator[None]:
    """The first signal lets each trial finish its epoch; the second leaves the block. Saved epochs are kept."""

    def handle(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's arguments
        if schedule.stopping:
            raise KeyboardInterrupt
        schedule.stopping = True
        print("\nstopping: each trial finishes its epoch and is saved; press again to stop at once", file=sys.stderr)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        if not schedule.stopping:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
