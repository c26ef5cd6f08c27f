"""Who is at work on a trial: one attempt at a time, however many launchers share a storage. No torch, no ray.

A trial's folder holds `lease-<n>.json`. Whoever creates the next number first is the holder; no file is ever taken
over, so there is no moment with two. A holder writes a heartbeat; a lease that was released, whose process is dead
on this machine, or that has been silent for `SILENT` seconds elsewhere, may be followed by the next.
"""

import json
import os
import platform
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
from upath import UPath

from study.storage import create, write

BEAT, SILENT = 10.0, 60.0
"""Seconds between heartbeats, and without one until a holder counts as dead: clocks must agree better than this."""


class Held(Exception):
    """The trial is, or has come, into other hands."""


@dataclass(frozen=True)
class Holder:
    """What a lease says."""

    node: str
    machine: str
    """Changes with each boot and with each container: a process number means nothing beyond."""
    pid: int
    started: float
    """When the process began, in seconds since 1970: numbers are used again."""
    beat: float
    """Time of the last heartbeat, in seconds since 1970."""
    released: bool = False

    @staticmethod
    def me() -> "Holder":
        started = psutil.Process().create_time()
        return Holder(platform.node(), _machine(), os.getpid(), started, time.time())

    def alive(self) -> bool:
        if self.released:
            return False
        if self.machine != _machine():
            return time.time() - self.beat < SILENT
        try:
            return psutil.Process(self.pid).create_time() == self.started
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.node}"


class Lease:
    """Held from `take` to `release`, with a heartbeat in between."""

    def __init__(self, folder: UPath, number: int, holder: Holder) -> None:
        self.file, self.number, self.holder = folder / f"lease-{number}.json", number, holder
        self.ended = threading.Event()
        self.lost = ""
        self.beats = threading.Thread(target=self._keep_beating, daemon=True)
        self.beats.start()

    @staticmethod
    def take(folder: UPath) -> "Lease":
        """Become the holder of the trial in a folder.

        Raises:
            Held: somebody else is, and lives.
        """
        number, holder = newest(folder)
        if holder is not None and holder.alive():
            raise Held(str(holder))
        me = Holder.me()
        try:
            create(folder / f"lease-{number + 1}.json", _content(me))
        except FileExistsError:
            raise Held("another that was faster") from None
        latest, holder = newest(folder)
        if latest != number + 1:  # others came and went since the first look
            raise Held(str(holder))
        for old in range(number + 1):
            (folder / f"lease-{old}.json").unlink(missing_ok=True)
        return Lease(folder, number + 1, me)

    def check(self) -> None:
        """
        Raises:
            Held: this attempt was taken for dead, and another goes on in its place.
        """
        if self.lost:
            raise Held(self.lost)

    def release(self) -> None:
        """Let anyone follow."""
        self.ended.set()
        self.beats.join()
        if not self.lost:
            with suppress(OSError):  # else it will be seen to be dead
                write(self.file, _content(replace(self.holder, released=True)))

    def _keep_beating(self) -> None:
        last = time.time()
        while not self.ended.wait(BEAT):
            try:
                number, holder = newest(self.file.parent)
                if number != self.number:
                    self.lost = str(holder)
                    return
                write(self.file, _content(replace(self.holder, beat=time.time())))
                last = time.time()
            except OSError as error:
                if time.time() - last > SILENT:
                    self.lost = f"unknown: no heartbeat could be written for {SILENT:.0f} s ({error})"
                    return


def newest(folder: UPath) -> tuple[int, Holder | None]:
    """Number and content of a trial's latest lease; -1 and None where there is none."""
    numbers = [int(file.stem.removeprefix("lease-")) for file in folder.glob("lease-*.json")]
    for number in sorted(numbers, reverse=True):
        with suppress(FileNotFoundError):  # gone since: its holder has finished, or was followed
            return number, Holder(**json.loads((folder / f"lease-{number}.json").read_text()))
    return -1, None


def _content(holder: Holder) -> bytes:
    return json.dumps(asdict(holder)).encode()


def _machine() -> str:
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if not boot.exists():
        return platform.node()
    return f"{platform.node()} {boot.read_text().strip()} {space.readlink()}"
