"""What a user at the keyboard has: `ray up`, `ray submit` and ssh, with hosts to use them on."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml
from hosts import Hosts, address
from launching import FAULTS, wait_for

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "cluster" / "cluster.yaml"
RAY = Path(sys.executable).with_name("ray")
N = 3
HEAD, *WORKERS = range(1, N + 1)
OFTEN = "AUTOSCALER_UPDATE_INTERVAL_S=1"
"""Ray's autoscaler looks for nodes to start once a second, and not every five: the tests wait for it."""
PORT = 18265
"""Not Ray's own, which a study on this machine may have."""


@dataclass
class Cluster:
    """Hosts, and what they are told."""

    hosts: Hosts
    config: Path
    shared: Path
    """A folder that is one on all hosts; none of a host's own."""

    def prepare(self, name: str) -> None:
        """What a person sees to before `ray up`: hosts with Python, and the lines on top of cluster.yaml."""
        self.shared.mkdir()
        self.home.mkdir()
        token = self.home / ".ray" / "auth_token"
        token.parent.mkdir()
        token.write_text("c" * 64)  # as Ray 2.59 left it, for everybody to read
        command = next(line for line in TEMPLATE.read_text().splitlines() if "get-auth-token" in line)
        subprocess.run(["bash", "-c", command.removeprefix("#")], env=self.environment, check=True)
        for host in range(1, N + 1):
            bashrc = self.hosts.files(host) / "root" / ".bashrc"
            bashrc.write_text(f"export PYTHONPATH=$HOME/wbc-study:{FAULTS} WBC_FAULTS='{self.faults}' {OFTEN}\n")
            bashrc.with_name(".bash_profile").write_text(". ~/.bashrc\n")
            bashrc.with_name("wbc-study").mkdir()
            bashrc.with_name("wbc-study").joinpath(".venv").symlink_to(sys.prefix)
        self.config.write_text(_config(self.hosts, name=name))

    @property
    def faults(self) -> str:
        """For tests/faults: every epoch that begins is on record, and nothing fails."""
        return json.dumps({"log": str(self.shared / "epochs.log"), "rules": []})

    @property
    def home(self) -> Path:
        """Of the person at the keyboard."""
        return self.config.parent / "home"

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{RAY.parent}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.home)}

    def ray(self, verb: str, *words: str) -> subprocess.Popen[str]:
        command = [str(RAY), verb, str(self.config), *words]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip

    def up(self) -> None:
        """`ray up`, until all nodes are there."""
        started = self.ray("up", "--yes", "--no-config-cache")
        printed = output(started)
        assert started.returncode == 0, printed
        self.await_nodes(N)

    def submit(self, *words: str, script: Path = ROOT / "study" / "run.py") -> subprocess.Popen[str]:
        return self.ray("submit", "--no-config-cache", str(script), "--", *words)

    @contextmanager
    def dashboard(self) -> Iterator[None]:
        """`ray dashboard` in another terminal: the head's port 8265 is `PORT` of this machine."""
        with self.ray("dashboard", f"--port={PORT}") as tunnel:
            with socket.socket() as tried:
                wait_for(lambda: not tried.connect_ex(("127.0.0.1", PORT)), tunnel, seconds=60)
            try:
                yield
            finally:
                for process in psutil.Process(tunnel.pid).children(recursive=True):
                    process.kill()
                tunnel.kill()

    def job(self, *words: str) -> str:
        """What `ray job` prints."""
        verb, *rest = words
        command = [str(RAY), "job", verb, "--address", f"http://127.0.0.1:{PORT}", *rest]
        environment = self.environment | {"RAY_AUTH_MODE": "token"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def alive(self) -> int:
        """Nodes that Ray knows to be up."""
        code = "import ray; ray.init(log_to_driver=False); print('nodes:', sum(node['Alive'] for node in ray.nodes()))"
        said = self.hosts.ssh(HEAD, f'bash -ic "python -c \\"{code}\\""', check=False).stdout
        found = re.search(r"nodes: (\d+)", said)  # among what Ray itself prints
        return int(found[1]) if found else 0

    def await_nodes(self, n: int) -> None:
        deadline = time.monotonic() + 240
        while (there := self.alive()) != n:
            assert time.monotonic() < deadline, f"{there} of {n} nodes after 240 s:\n{self._of_autoscaler()}"
            time.sleep(2)

    def _of_autoscaler(self) -> str:
        """The end of what it has logged of its nodes."""
        return self.hosts.ssh(HEAD, "tail -n 60 /tmp/ray/session_latest/logs/monitor.{out,err}", check=False).stdout


def output(process: subprocess.Popen[str], *, seconds: float = 300) -> str:
    """What it printed, to its end."""
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(process.communicate()[0]) from None


def _config(hosts: Hosts, *, name: str) -> str:
    """cluster/cluster.yaml with its lines on top filled in; a core a host, of the few that there are."""
    config = yaml.safe_load(TEMPLATE.read_text())
    config["cluster_name"] = name
    config["provider"] |= {"head_ip": address(HEAD), "worker_ips": [address(host) for host in WORKERS]}
    config["auth"] = {"ssh_user": "root", "ssh_private_key": str(hosts.key)}
    for commands in ("head_start_ray_commands", "worker_start_ray_commands"):
        config[commands] = [line.replace("ray start", "ray start --num-cpus=1") for line in config[commands]]
    return yaml.safe_dump(config)
