"""Machines in the file of an SSH cluster that are no nodes of it, and why. The files of clouds list no machines."""

import json
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from study.doctor.checks import Finding
from wbc_model.files import sha256_of

CONFIG = "~/ray_bootstrap_config.yaml"
"""On the head: the file of `ray up`, as JSON."""
TOKEN = ".ray/auth_token"
ASKED = f"test ! -e ~/{TOKEN} || sha256sum < ~/{TOKEN} | cut -c1-64"
SSH = ("ssh", "-q", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "StrictHostKeyChecking=no",
       "-o", "UserKnownHostsFile=/dev/null")  # fmt: skip
SECONDS = 20
"""That a machine has to answer."""


def absent(nodes: Iterable[str]) -> dict[str, Finding]:
    """The machines of this head's cluster file that have not joined it, by address, and why.

    Args:
        nodes: addresses of those that have joined.
    """
    file, here = Path(CONFIG).expanduser(), set(nodes)
    config: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    machines = config.get("provider", {})
    if machines.get("type") != "local" or machines["head_ip"] not in here:
        return {}
    missing = [address for address in machines["worker_ips"] if address not in here]
    with ThreadPoolExecutor() as pool:
        why = partial(_why, login=config["auth"], head=machines["head_ip"])
        return dict(zip(missing, pool.map(why, missing), strict=True))


def _why(address: str, *, login: dict[str, str], head: str) -> Finding:
    start = f"run `ray start --address={head}:6379` on it"
    key = Path(login["ssh_private_key"]).expanduser()
    command = [*SSH, "-i", str(key), f"{login['ssh_user']}@{address}", ASKED]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        asked = None
    if asked is None or asked.returncode:
        return Finding("it has not joined the cluster, and does not answer SSH", "see that it runs and is reachable")
    own = Path("~", TOKEN).expanduser()
    if asked.stdout.strip() != (sha256_of(own) if own.exists() else ""):
        return Finding("it cannot join the cluster: its ~/.ray/auth_token is another than the head's",
                       f"copy the head's there, and {start}")  # fmt: skip
    return Finding("it has not joined the cluster", start)
