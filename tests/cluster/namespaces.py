"""Other mounts, processes and network than this machine's for a command: Ray can be started and stopped in them."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from launching import FAULTS

ROOT = Path(__file__).parents[2]
NETWORK = "mount -t tmpfs tmpfs /run; ip link set lo up; ip route add default dev lo; export RAY_TMPDIR=/run"
"""What Ray wants of it: a default route, and a short name for its sockets' folder."""

TRIAL = ("unshare", "--mount", "--pid", "--net", "--fork", "ip", "link", "add", "wbc", "type", "bridge")
"""Leaves nothing behind: the bridge goes with its world."""


def not_installed(*tools: str) -> str:
    """Which tools are missing here, as the reason of a skip; empty if none is."""
    absent = [tool for tool in tools if shutil.which(tool) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def why_not() -> str:
    """What keeps a command from a world of its own here; empty if nothing does."""
    if reason := not_installed("unshare", "ip", "mount"):
        return reason
    tried = subprocess.run(TRIAL, capture_output=True, text=True, check=False)
    return f"no network and mounts of its own: {tried.stderr.strip()}" if tried.returncode else ""


needs_namespaces = pytest.mark.skipif(bool(reason := why_not()), reason=reason)


def apart(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a bash script in the project's folder; what it leaves running ends with it."""
    command = ["unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "--kill-child", "bash", "-c",
               f"set -e; cd '{ROOT}'; {script}"]  # fmt: skip
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False,
                          timeout=600)  # fmt: skip


def cluster_apart(script: str, folder: Path, study: Sequence[str]) -> tuple[dict[str, Any], str]:
    """Run a script of this folder that starts nodes and studies; the JSON that it prints last, and what was told."""
    words = [sys.executable, str(ROOT / "tests" / "cluster" / script), str(folder), *study]
    done = apart(f"{NETWORK}; {shlex.join(words)}", RAY_AUTH_MODE="disabled", PYTHONPATH=str(FAULTS))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr
