"""Join a Ray cluster, or start Ray on this machine, whatever the user's shell and earlier clusters have left."""

import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path

import grpc
import ray
from ray._private.utils import get_ray_address_file, read_ray_address
from ray.exceptions import AuthenticationError

from study.provenance import ROOT
from study.tracking.variables import set_aside
from wbc_model.errors import InputError

FIXED = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL": "minor",
}
"""Tune writes no logs of its own, prints no tables between our lines, and leaves Ctrl-C to us. Python's patch version
may differ between machines."""
ANSWER_SECONDS = 10
LONGEST_TMPDIR = 38
"""Characters of a temporary folder in which Ray's sockets still have paths of at most 107."""


def connect() -> tuple[Mapping[str, float], bool]:
    """Join the cluster of RAY_ADDRESS or `ray start`, or start Ray on this machine.

    Not `address="auto"`, which would also join the private Ray of another driver on this machine, and end with it.

    Returns:
        The resources, and whether it is a private Ray, which no other node can join.

    Raises:
        InputError: no cluster answers at the address, it runs another version, or Ray cannot run in such a place.
    """
    if not (address := find_cluster()):
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())  # else Ray writes one to the home folder
    try:
        with chdir(ROOT):  # Ray lets workers import from the current folder, where the user's modules would shadow ours
            ray.init(logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:  # Ray raises its own, RuntimeErrors, OSErrors and plain Exceptions
        raise InputError(_refused(address, error)) from error
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # `Progress` reports each failure, once
    return ray.cluster_resources(), not address


def find_cluster() -> str:
    """The address of the cluster to join; empty where Ray is to be started on this machine, which it can be.

    Raises:
        InputError: no cluster answers at the address, or Ray cannot run in such a place.
    """
    _set_variables()
    if not (address := _address()):
        _require_fit_paths()
    return address


def _set_variables() -> None:
    """Set aside what a shell has set for other runs, and a temporary folder with too long a path for sockets."""
    set_aside()
    for name in [name for name in os.environ if name.startswith("TUNE_")]:
        del os.environ[name]
    os.environ |= FIXED
    if address := os.environ.pop("RAY_ADDRESS", "").strip():
        os.environ["RAY_ADDRESS"] = address
    if "RAY_TMPDIR" not in os.environ and not _fits(folder := tempfile.gettempdir()):
        print(f"the path of the temporary folder {folder} is too long for Ray's sockets, or has a blank: /tmp is used",
              file=sys.stderr)  # fmt: skip
        os.environ["TMPDIR"], tempfile.tempdir = "/tmp", None


def _fits(folder: str) -> bool:
    return len(os.fsencode(folder)) <= LONGEST_TMPDIR and not _has_blank(folder)


def _has_blank(path: str) -> bool:
    """Whether Ray, which splits command lines at blanks and quotes, would take a path apart."""
    return any(character.isspace() or character in "'\"\\" for character in path)


def _require_fit_paths() -> None:
    """
    Raises:
        InputError: Ray's workers cannot be started from this Python, or its sockets would have too long a path.
    """
    for path in (sys.executable, ray.__file__):
        if _has_blank(path):
            raise InputError(f"Ray cannot start workers from {path}, whose path has a blank or a quote: move the "
                             "project to a folder without one, and run cluster/setup.sh there")  # fmt: skip
    if not _fits(folder := os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()):
        raise InputError(f"RAY_TMPDIR={folder} does not suit Ray, whose sockets need a path of at most "
                         f"{LONGEST_TMPDIR} characters, without blanks: set RAY_TMPDIR=/tmp")  # fmt: skip


def _address() -> str:
    """Where a cluster is to be joined; empty if there is none.

    Raises:
        InputError: nothing answers there, or it is no address of a cluster's head.
    """
    address = os.environ.get("RAY_ADDRESS") or read_ray_address() or ""
    if address in ("", "local"):
        return ""
    if address.startswith(("http://", "https://")):
        raise InputError(f"RAY_ADDRESS={address} is a dashboard's: give that of the cluster's head, such as HOST:6379, "
                         "or unset it to run here")  # fmt: skip
    if address == "auto" or "://" in address:
        return address
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
        with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                grpc.channel_ready_future(channel).result(timeout=ANSWER_SECONDS)  # or another program has the port
    except (OSError, ValueError, OverflowError, grpc.FutureTimeoutError) as error:
        raise InputError(_gone(address)) from error
    return address


def _refused(address: str, error: Exception) -> str:
    reason = " ".join(str(error).split())
    if not address:
        logs = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(), "ray", "session_latest", "logs")
        return f"Ray cannot be started on this machine: {reason}. Its logs are in {logs}"
    if isinstance(error, ConnectionError | AuthenticationError):  # the former also where the token is another
        return (f"the Ray cluster at {address} does not answer, or does not accept this machine's token: start it; or "
                "copy the ~/.ray/auth_token of its head here, and set RAY_AUTH_MODE=token; or unset RAY_ADDRESS and "
                "type `ray stop` to run here")  # fmt: skip
    return (f"the Ray cluster at {address} cannot be joined: {reason}. Run cluster/setup.sh of the same project on "
            "every machine, with Pythons of one minor version, and start the cluster again; or unset RAY_ADDRESS and "
            "type `ray stop` to run here")  # fmt: skip


def _gone(address: str) -> str:
    if os.environ.get("RAY_ADDRESS"):
        return f"no Ray cluster answers at RAY_ADDRESS={address}: start it, or unset RAY_ADDRESS to run here"
    return (f"a Ray cluster that is gone, {address}, is still noted in {get_ray_address_file(None)}: type `ray stop`, "
            "or delete that file, to run here")  # fmt: skip
