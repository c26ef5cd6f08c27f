"""Leases: one attempt at a trial at a time, however many launchers share a storage. No torch, no ray.

A trial's folder holds `lease-<n>.json`. The process that creates the next number first is the holder; a file is never
taken over, so there are never two holders. The holder writes heartbeats. The next lease may be taken once this one is
released or its process is dead. A holder on another machine counts as dead if its last heartbeat is `SILENT` seconds
ago, and it writes no other while it is watched: the clocks of two machines may differ.
"""

import os
import platform
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
from pydantic import TypeAdapter
from upath import UPath

from study.storage import create, delete, listed, read_bytes, write
from wbc_model.errors import Damaged, decoding
from wbc_model.files import sealed, unsealed

UNKNOWN = "an unknown node (its lease is damaged)"
BEAT, SILENT = 10.0, 60.0
"""Seconds between heartbeats, and without one until a holder counts as dead."""
BEATS_WATCHED = 3
"""How many heartbeats a holder that seems dead must miss while it is watched."""


class Held(Exception):
    """Another process holds the trial's lease, from the start or by now."""


@dataclass(frozen=True)
class Holder:
    """The content of a lease."""

    node: str
    machine: str
    """Changes with each boot and each container: a process id is only unique within one."""
    pid: int
    started: float
    """Start of the process: process ids are reused. In seconds since the boot, which no step of the clock changes; in
    leases of older versions, and without /proc, in seconds since 1970."""
    beat: float
    """Time of the last heartbeat, in seconds since 1970."""
    released: bool = False

    @staticmethod
    def me() -> "Holder":
        return Holder(platform.node(), _machine(), os.getpid(), _starts(os.getpid())[0], time.time())

    def alive(self) -> bool:
        """Whether it is; of one on another machine, what the clocks tell."""
        if self.released:
            return False
        if self.elsewhere:
            return abs(time.time() - self.beat) < SILENT
        return self.started in _starts(self.pid)

    @property
    def elsewhere(self) -> bool:
        """Whether it is on another machine."""
        return self.machine != _machine()

    def __str__(self) -> str:
        ahead = self.beat - time.time()
        differ = ahead > SILENT / 3 or ahead < -SILENT
        clock = f", whose clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}: synchronise the clocks"
        return f"process {self.pid} on {self.node}{clock * differ}"


class Lease:
    """A lease that is held from `take` to `release`, with heartbeats from a thread."""

    def __init__(self, folder: UPath, number: int, holder: Holder) -> None:
        self.file, self.number, self.holder = folder / f"lease-{number}.json", number, holder
        self.ended = threading.Event()
        self.taken_over_by = ""
        self.beats = threading.Thread(target=self._keep_beating, daemon=True)
        self.beats.start()

    @staticmethod
    def take(folder: UPath) -> "Lease":
        """Become the holder of the trial in a folder.

        Raises:
            Held: another process is the holder, and is alive.
        """
        number, holder = newest(folder)
        if holder is not None and holder.alive():
            raise Held(str(holder))
        if holder is not None and holder.elsewhere and not holder.released:
            _watch(folder, number, holder)
        me = Holder.me()
        try:
            create(folder / f"lease-{number + 1}.json", _content(me))
        except FileExistsError:
            raise Held("another process that was faster") from None
        latest, holder = newest(folder)
        if latest != number + 1:  # others have taken and released it in the meantime
            raise Held(str(holder))
        for old in range(number + 1):
            delete(folder / f"lease-{old}.json")
        return Lease(folder, number + 1, me)

    def check(self) -> None:
        """
        Raises:
            Held: this attempt was considered dead, and another process has taken over.
        """
        if self.taken_over_by:
            raise Held(self.taken_over_by)

    def release(self) -> None:
        """Let another process take the lease."""
        self.ended.set()
        self.beats.join()
        if not self.taken_over_by:
            with suppress(OSError):  # else the lease expires
                write(self.file, _content(replace(self.holder, released=True)))

    def _keep_beating(self) -> None:
        last = time.monotonic()
        while not self.ended.wait(BEAT):
            try:
                number, holder = newest(self.file.parent)
                if number != self.number:
                    self.taken_over_by = str(holder)
                    return
                write(self.file, _content(replace(self.holder, beat=time.time())))
                last = time.monotonic()
            except OSError as error:
                if time.monotonic() - last > SILENT:
                    self.taken_over_by = (
                        f"another process, perhaps: no heartbeat was written for {SILENT:.0f} s ({error})"
                    )
                    return


def _watch(folder: UPath, number: int, holder: Holder) -> None:
    """
    Raises:
        Held: the holder of a lease, which seemed dead, has written a heartbeat, or another has followed it.
    """
    deadline = time.monotonic() + BEATS_WATCHED * BEAT
    while time.monotonic() < deadline:
        time.sleep(BEAT / 5)
        if (found := newest(folder)) != (number, holder):
            raise Held(str(found[1]))


def newest(folder: UPath) -> tuple[int, Holder | None]:
    """Number and content of a trial's latest lease; -1 and None if there is none."""
    numbers = [file.stem.removeprefix("lease-") for file in listed(folder, "lease-*.json")]
    for number in sorted((int(number) for number in numbers if number.isdecimal()), reverse=True):
        with suppress(FileNotFoundError):  # deleted since: the trial has another holder
            return number, _read(folder / f"lease-{number}.json")
    return -1, None


def _read(file: UPath) -> Holder:
    """The content of a lease. Of one that is damaged, only the time of the last heartbeat is known."""
    content = read_bytes(file)
    try:
        value = unsealed(content, where=file)
        with decoding(file):
            return _HOLDER.validate_python(value)
    except Damaged:
        return Holder(UNKNOWN, "", 0, 0, file.stat().st_mtime)


def is_damaged(lease: UPath) -> bool:
    """Whether it does not tell its holder, and no living one has written it again."""
    return _read(lease).node == UNKNOWN


def _content(holder: Holder) -> bytes:
    return sealed(asdict(holder))


_HOLDER: TypeAdapter[Holder] = TypeAdapter(Holder)


def _starts(pid: int) -> list[float]:
    """Start of a process in seconds since the boot, where /proc tells, and since 1970; empty if it does not run."""
    try:
        found = [psutil.Process(pid).create_time()]
    except psutil.NoSuchProcess:
        return []
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return found
    ticks = int(stat.rpartition(")")[2].split()[19])  # field 22; the second, a name in brackets, may have blanks
    return [ticks / os.sysconf("SC_CLK_TCK"), *found]


def _machine() -> str:
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if not boot.exists():
        return platform.node()
    return f"{platform.node()} {boot.read_text(encoding='utf-8').strip()} {space.readlink()}"
