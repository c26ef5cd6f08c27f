"""Hosts far apart: a frame between two of them takes its time, and some are lost.

Linux's netem does this in the kernel, where the kernel has it. Here a process stands between each host's cable and the
bridge instead.
"""

import fcntl
import heapq
import multiprocessing
import os
import random
import selectors
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from multiprocessing.connection import Connection

from hosts import BRIDGE, Hosts, cable, run

ETH_P_ALL, SOL_PACKET, PACKET_IGNORE_OUTGOING, PACKET_VNET_HDR = 3, 263, 23, 15
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x0002, 0x1000, 0x4000
FRAME = 1 << 17
"""No frame has more bytes, with its header of what is left for a network card to do."""
SEED = 0


@contextmanager
def far_apart(hosts: Hosts, *, round_trip: float, lost: float) -> Iterator[None]:
    """Between two hosts a round trip takes so many seconds, and each way this share of frames is lost."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    cables = [cable(host) for host in hosts.booted]
    delay_and_lost = round_trip / 4, 1 - (1 - lost) ** 0.5  # two cables each way
    between = spawn.Process(target=pass_on, args=(cables, *delay_and_lost, there), daemon=True)
    between.start()
    try:
        assert here.poll(20)
        yield
    finally:
        between.kill()
        between.join()
        for each in cables:
            run("ip", "link", "set", each, "arp", "on", "master", BRIDGE)


def pass_on(cables: Sequence[str], delay: float, lost: float, ready: Connection) -> None:
    """Until killed: each frame between a cable and the bridge waits for `delay` seconds, or is lost."""
    other, watched = {}, selectors.DefaultSelector()
    for each in cables:
        out, into = _ends(each)
        other |= {out: into, into: out}
    for end in other:
        watched.register(end, selectors.EVENT_READ)
    ready.send(None)
    rng, order = random.Random(SEED), count()
    waiting: list[tuple[float, int, int, bytes]] = []
    while True:
        for key, _ in watched.select(max(0.0, waiting[0][0] - time.monotonic()) if waiting else None):
            with suppress(BlockingIOError):
                while frame := os.read(key.fd, FRAME):
                    if rng.random() >= lost:
                        heapq.heappush(waiting, (time.monotonic() + delay, next(order), other[key.fd], frame))
        while waiting and waiting[0][0] <= time.monotonic():
            with suppress(OSError):  # a cable that is full loses frames
                os.write(waiting[0][2], waiting[0][3])
            heapq.heappop(waiting)


def _ends(end: str) -> tuple[int, int]:
    """What reads and writes the frames of a cable, and those of the bridge to it."""
    run("ip", "link", "set", end, "nomaster", "arp", "off")
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(ETH_P_ALL))
    for option in (PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING):
        out.setsockopt(SOL_PACKET, option, 1)
    out.bind((end, ETH_P_ALL))
    into, tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK), end.replace("v", "t")
    fcntl.ioctl(into, TUNSETIFF, struct.pack("16sH22x", tap.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    run("ip", "link", "set", tap, "master", BRIDGE, "up")
    return out.detach(), into
