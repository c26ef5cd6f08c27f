"""Notice that a server of this machine's own Ray has died: Ray would end the launcher seconds later, without a word."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psutil

from study.scheduling.schedule import TrialQueue

SERVERS = ("raylet", "gcs_server")
EVERY = 0.5
"""Seconds between looks."""


def own_servers() -> dict[psutil.Process, str]:
    """The servers of Ray that this process has started, with their names; none if it has joined a cluster."""
    return {child: child.name() for child in psutil.Process().children() if child.name() in SERVERS}


@contextmanager
def watched(schedule: TrialQueue) -> Iterator[None]:
    """Leave the block as a second Ctrl-C does, with the reason in `schedule.broken`, if a server dies.

    The servers of a cluster that was joined are not watched.
    """
    servers = own_servers()
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(servers, schedule, ended), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(servers: Mapping[psutil.Process, str], schedule: TrialQueue, ended: threading.Event) -> None:
    while not ended.wait(EVERY):
        for server, name in servers.items():
            if not server.is_running() or server.status() == psutil.STATUS_ZOMBIE:
                schedule.broken = f"Ray's {name} (process {server.pid}) has died"
                schedule.stopping = True
                os.kill(os.getpid(), signal.SIGINT)
                return
