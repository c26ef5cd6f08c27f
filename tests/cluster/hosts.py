"""Real SSH hosts on one machine: each has its own network, processes, name, home, /tmp, /run, /dev/shm and sshd.

The rest of the disk is shared, as a network folder would be. Needs root, iproute2, openssh-server and rsync.
"""

import fcntl
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path

from namespaces import not_installed, why_not

NETWORK, BRIDGE = "10.78.0", "wbctbr0"
LOCK = Path("/run/lock/wbc-test-hosts")
"""Held while hosts are up: whatever hosts are left when it is free are of tests that were killed."""
TOOLS = ("sshd", "ssh", "ssh-keygen", "rsync")
HIDDEN = (Path("/tmp"), Path("/root"))
"""Of the machine that runs the tests: each host has its own in their place."""
ENVIRONMENT = (Path(sys.base_prefix), Path(sys.prefix))
"""Of Python: shown on every host at its own path, even below what is hidden."""

BOOT = """
set -e
hostname {name}
for path in {shown}; do mkdir -p {files}$path; mount --rbind $path {files}$path; done
for path in {hidden}; do mount --rbind {files}$path $path; done
mount -t tmpfs tmpfs /run; mkdir -p /run/sshd
mount -t tmpfs -o size=4g tmpfs /dev/shm
exec $(command -v sshd) -D -e -o PermitRootLogin=yes -o UsePAM=no
"""


def missing() -> str:
    """Why there can be no hosts here; empty if there can."""
    return not_installed(*TOOLS) or why_not()


@dataclass
class Hosts:
    """Hosts 1 to n, up while it is open. The first is meant to be the head."""

    n: int
    folder: Path
    """Their keys, and what each has of its own."""
    booted: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    lock: TextIOWrapper | None = None

    def __enter__(self) -> "Hosts":
        LOCK.parent.mkdir(parents=True, exist_ok=True)
        self.lock = LOCK.open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        _sweep(self.n)
        self.folder.mkdir(parents=True, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        run("ssh-keygen", "-A")
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        try:
            run("ip", "addr", "add", f"{NETWORK}.254/24", "dev", BRIDGE)
            run("ip", "link", "set", BRIDGE, "up")
            for host in range(1, self.n + 1):
                self.boot(host)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for host in list(self.booted):
            self.power_off(host)
        subprocess.run(["ip", "link", "del", BRIDGE], check=False)
        if self.lock is not None:
            self.lock.close()

    @property
    def key(self) -> Path:
        return self.folder / "key"

    def files(self, host: int) -> Path:
        """What stands for / in what is the host's own."""
        return self.folder / f"h{host}"

    def boot(self, host: int) -> None:
        space, inside, outside = name(host), f"wbcte{host}", cable(host)
        home = self.files(host) / "root"
        for hidden in HIDDEN:
            (self.files(host) / hidden.relative_to("/")).mkdir(parents=True, exist_ok=True)
        (home / ".ssh").mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self.key.with_suffix(".pub"), home / ".ssh" / "authorized_keys")
        run("ip", "netns", "add", space)
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside,
             "address", f"02:00:00:00:00:{host:02x}")  # it is the same card after a boot  # fmt: skip
        run("ip", "link", "set", outside, "master", BRIDGE, "up")
        run("ip", "link", "set", inside, "netns", space)
        run("ip", "-n", space, "addr", "add", f"{address(host)}/24", "dev", inside)
        run("ip", "-n", space, "link", "set", inside, "up")
        run("ip", "-n", space, "link", "set", "lo", "up")
        # Nothing is routed, but a host without a default route does not know which of its addresses is its own.
        run("ip", "-n", space, "route", "add", "default", "via", f"{NETWORK}.254")
        shown = [path for path in ENVIRONMENT if any(path.is_relative_to(hidden) for hidden in HIDDEN)]
        script = BOOT.format(name=space, files=self.files(host), shown=_words(shown), hidden=_words(HIDDEN))
        command = ["ip", "netns", "exec", space, "unshare", "--pid", "--mount", "--uts", "--fork", "--mount-proc",
                   "--kill-child", "bash", "-c", script]  # fmt: skip
        with (self.folder / f"h{host}.log").open("wb") as log:
            self.booted[host] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while self.ssh(host, "true", check=False).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError((self.folder / f"h{host}.log").read_text())
            time.sleep(0.1)

    def ssh(self, host: int, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        options = ("-q", "-i", str(self.key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                   "-o", "ConnectTimeout=2")  # fmt: skip
        return subprocess.run(["ssh", *options, f"root@{address(host)}", command], capture_output=True, text=True,
                              check=check, timeout=60)  # fmt: skip

    def power_off(self, host: int) -> None:
        """At once: nothing on it gets to say a word."""
        process = self.booted.pop(host)
        process.kill()
        process.wait()
        _delete_network(host)

    def cut(self, host: int) -> None:
        """Unplug it from the network."""
        run("ip", "link", "set", cable(host), "down")

    def mend(self, host: int) -> None:
        run("ip", "link", "set", cable(host), "up")


def address(host: int) -> str:
    return f"{NETWORK}.{host}"


def cable(host: int) -> str:
    """Its end outside of the host."""
    return f"wbctv{host}"


def name(host: int) -> str:
    return f"wbct{host}"


def _sweep(n: int) -> None:
    """End and delete what killed tests have left of n hosts."""
    for host in range(1, n + 1):
        left = subprocess.run(["ip", "netns", "pids", name(host)], capture_output=True, text=True, check=False)
        for pid in left.stdout.split():
            subprocess.run(["kill", "-9", pid], check=False, stderr=subprocess.DEVNULL)
        _delete_network(host)
    subprocess.run(["ip", "link", "del", BRIDGE], check=False, stderr=subprocess.DEVNULL)


def _delete_network(host: int) -> None:
    subprocess.run(["ip", "netns", "del", name(host)], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(["ip", "link", "del", cable(host)], check=False, stderr=subprocess.DEVNULL)


def _words(paths: Sequence[Path]) -> str:
    return " ".join(f"'{path}'" for path in paths)


def run(*command: str) -> None:
    subprocess.run(command, check=True)
