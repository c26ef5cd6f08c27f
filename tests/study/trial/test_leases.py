"""Leases, by real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from threading import Timer

import psutil
import pytest
from upath import UPath

from study.storage import create, write
from study.trial import leases
from study.trial.leases import Held, Holder, Lease, newest

TAKE = """
import sys, time
from upath import UPath
from study.trial.leases import Held, Lease
try:
    Lease.take(UPath(sys.argv[1]))
    print("taken", flush=True)
    time.sleep(60)
except Held:
    print("held", flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> UPath:
    return UPath(tmp_path / "trial")


def other(folder: UPath) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", TAKE, str(folder)], stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def elsewhere(*, silent: float) -> Holder:
    return replace(Holder.me(), machine="another", node="node7", beat=time.time() - silent)


def plant(folder: UPath, holder: Holder) -> None:
    write(folder / "lease-0.json", json.dumps(asdict(holder)).encode())


def test_a_trial_has_one_holder_until_it_is_released(folder: UPath):
    lease = Lease.take(folder)
    with pytest.raises(Held, match=f"process {os.getpid()} on "):
        Lease.take(folder)
    lease.release()
    Lease.take(folder).release()
    assert [file.name for file in folder.iterdir()] == ["lease-1.json"]


def test_a_process_killed_on_this_machine_is_followed_at_once(folder: UPath):
    with other(folder) as first:
        assert said(first) == "taken"
        with pytest.raises(Held, match=f"process {first.pid} on "):
            Lease.take(folder)
        first.send_signal(signal.SIGKILL)
    Lease.take(folder).release()


def test_of_many_that_ask_at_once_one_gets_it(folder: UPath):
    with ExitStack() as stack:
        processes = [stack.enter_context(other(folder)) for _ in range(4)]
        answers = [said(process) for process in processes]
        for process in processes:
            process.kill()
    assert sorted(answers) == ["held", "held", "held", "taken"]


def test_a_number_used_again_is_not_the_holder(folder: UPath):
    plant(folder, replace(Holder.me(), started=1.0))
    Lease.take(folder).release()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holders that seem dead are watched for a moment."""
    monkeypatch.setattr(leases, "BEAT", 0.3)


def test_on_another_machine_silence_tells(folder: UPath):
    plant(folder, elsewhere(silent=leases.SILENT - 5))
    with pytest.raises(Held, match="on node7$"):
        Lease.take(folder)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("silent", [leases.SILENT + 5, -7200.0])
def test_on_another_machine_no_heartbeat_while_it_is_watched_tells(folder: UPath, silent: float):
    plant(folder, elsewhere(silent=silent))
    began = time.monotonic()
    Lease.take(folder).release()
    assert time.monotonic() - began >= leases.BEATS_WATCHED * leases.BEAT


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("silent", "clock"), [(7200.0, "7200 s behind"), (-7200.0, "7200 s ahead")])
def test_a_holder_whose_clock_differs_is_seen_to_live_and_told(folder: UPath, silent: float, clock: str):
    plant(folder, elsewhere(silent=silent))
    beat = Timer(0.2, plant, [folder, elsewhere(silent=silent)])
    beat.start()
    with pytest.raises(Held, match=f"on node7, whose clock is {clock}: synchronise the clocks"):
        Lease.take(folder)
    beat.join()
    assert [file.name for file in folder.iterdir()] == ["lease-0.json"]


@pytest.mark.usefixtures("quick")
def test_of_two_that_watch_a_dead_holder_one_gets_its_trial(folder: UPath):
    plant(folder, elsewhere(silent=7200))
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(Lease.take, folder) for _ in range(2)]
    taken = [one.result() for one in asked if not one.exception()]
    assert len(taken) == 1
    taken[0].release()


def test_a_holder_tells_that_it_lives_and_learns_that_it_was_followed(folder: UPath, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leases, "BEAT", 0.02)
    lease = Lease.take(folder)
    first = newest(folder)[1]
    deadline = time.monotonic() + 10
    while newest(folder)[1] == first:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    lease.check()
    create(folder / "lease-1.json", json.dumps(asdict(elsewhere(silent=0))).encode())
    lease.beats.join(10)
    with pytest.raises(Held, match="on node7"):
        lease.check()
    lease.release()
    assert newest(folder)[1] == elsewhere(silent=0) or newest(folder)[0] == 1


def test_one_who_was_slow_gives_way_to_those_who_came_since(folder: UPath, monkeypatch: pytest.MonkeyPatch):
    plant(folder, replace(Holder.me(), released=True))
    look = newest(folder)
    third = folder / "lease-2.json"
    create(third, json.dumps(asdict(elsewhere(silent=0))).encode())
    looks = iter([look])
    monkeypatch.setattr(leases, "newest", lambda where: next(looks, None) or newest(where))
    with pytest.raises(Held, match="on node7"):
        Lease.take(folder)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff"])
def test_a_damaged_lease_holds_until_it_had_no_heartbeat_for_long(folder: UPath, content: bytes):
    """A living holder writes it again within seconds."""
    create(folder / "lease-0.json", content)
    (folder / "lease-of-mine.json").touch()
    with pytest.raises(Held, match="its lease is damaged"):
        Lease.take(folder)
    beat = time.time() - leases.SILENT - 1
    os.utime(folder / "lease-0.json", (beat, beat))
    Lease.take(folder).release()
    assert sorted(file.name for file in folder.iterdir()) == ["lease-1.json", "lease-of-mine.json"]


def test_a_changed_digit_does_not_make_a_holder_dead(folder: UPath):
    with other(folder) as first:
        assert said(first) == "taken"
        lease = folder / "lease-0.json"
        lease.write_text(lease.read_text().replace(f'"pid": {first.pid}', f'"pid": {first.pid + 1}'))
        with pytest.raises(Held, match="its lease is damaged"):
            Lease.take(folder)
        first.kill()


def test_a_step_of_the_clock_makes_no_living_holder_dead(folder: UPath, monkeypatch: pytest.MonkeyPatch):
    """psutil computes the start of a process from the clock, and so shows another one after a step."""
    lease = Lease.take(folder)
    create_time = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: create_time(self) + 3600)
    with pytest.raises(Held, match=f"process {os.getpid()} on "):
        Lease.take(folder)
    lease.release()


def test_the_holder_of_a_lease_of_an_older_version_is_known(folder: UPath):
    plant(folder, replace(Holder.me(), started=psutil.Process().create_time()))
    with pytest.raises(Held):
        Lease.take(folder)
