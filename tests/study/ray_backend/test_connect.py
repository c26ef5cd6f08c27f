"""Places and settings with which Ray cannot run are refused at once, or set aside."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Place

from study.ray_backend import connect as module
from study.ray_backend.connect import connect
from wbc_model.errors import InputError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No cluster is noted, and what is changed of the environment is changed back."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in [name for name in os.environ if name.startswith(("RAY_", "TUNE_"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.environ["RAY_TMPDIR"] = folder
        yield


def refused(match: str) -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match=match):
        connect()
    assert time.monotonic() - began < module.ANSWER_SECONDS + 1


def note(address: str) -> None:
    folder = Path(os.environ["RAY_TMPDIR"]) / "ray"
    folder.mkdir()
    (folder / "ray_current_cluster").write_text(address)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def test_a_cluster_that_is_gone_but_noted_is_told_with_the_note():
    note(f"127.0.0.1:{free_port()}")
    refused(
        r"a Ray cluster that is gone, 127.0.0.1:\d+, is still noted in /tmp/.*/ray_current_cluster: type `ray stop`"
    )


@pytest.mark.parametrize(
    "address", ["127.0.0.1:{port}", "nowhere.invalid:6379", "127.0.0.1", "127.0.0.1:x", "[::1]:{port}"]
)
def test_an_address_where_nothing_answers_is_told(address: str):
    os.environ["RAY_ADDRESS"] = address.format(port=free_port())
    refused("no Ray cluster answers at RAY_ADDRESS=.*: start it, or unset RAY_ADDRESS")


def test_a_port_that_another_program_has_taken_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ANSWER_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        note(f"127.0.0.1:{other.getsockname()[1]}")
        refused("a Ray cluster that is gone")


def test_a_dashboards_address_is_told():
    os.environ["RAY_ADDRESS"] = "http://127.0.0.1:8265"
    refused("is a dashboard's: give that of the cluster's head")


@pytest.mark.parametrize("folder", ["my study", "it's", "a\tb"])
def test_a_path_that_ray_would_take_apart_is_refused(folder: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", f"/home/me/{folder}/.venv/bin/python")
    refused("cannot start workers from /home/me/.*: move the project")


def test_a_long_name_of_rays_own_folder_is_refused():
    os.environ["RAY_TMPDIR"] = "/tmp/" + 40 * "x"
    refused("set RAY_TMPDIR=/tmp")


@pytest.mark.parametrize("name", [60 * "x", "my folder"])
def test_an_unfit_temporary_folder_is_left_for_tmp(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    del os.environ["RAY_TMPDIR"]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
    os.environ["RAY_ADDRESS"] = "http://stops.here"
    refused("dashboard")
    assert os.environ["TMPDIR"] == tempfile.gettempdir() == "/tmp"
    assert f"{tmp_path / name} is too long" in capsys.readouterr().err


@pytest.mark.slow
def test_what_no_node_has_is_refused_where_none_can_join(drawn: Path, weights: Path, tmp_path: Path):
    place = Place(tmp_path, drawn, weights, tmp_path / "cache")
    done = place.run("--tables", "11", "--datasets", "lisc", "--cpus", "1000")
    assert done.returncode == 2
    assert re.search(
        r"error: no node has the 1000 CPUs and 0 GPUs of a trial: this machine has .*Lower --cpus", done.stderr
    )


@pytest.mark.slow
def test_one_ctrl_c_ends_a_wait_for_a_node_and_begins_nothing(drawn: Path, weights: Path, tmp_path: Path):
    port, ray = free_port(), Path(sys.executable).with_name("ray")
    head = subprocess.Popen([ray, "start", "--head", "--block", f"--port={port}", "--num-cpus=1",
                             "--include-dashboard=false", "--disable-usage-stats"], env=os.environ)  # fmt: skip
    try:
        place = Place(tmp_path, drawn, weights, tmp_path / "cache")
        while not list(Path(os.environ["RAY_TMPDIR"]).glob("ray/ray_current_cluster")):
            time.sleep(0.1)
        waiting = place.start("--tables", "11", "--datasets", "lisc", "--cpus", "1000")
        assert waiting.stdout
        told = [""]
        while "waiting for such a node to join" not in told[-1]:
            told.append(waiting.stdout.readline())
            assert told[-1], told
        time.sleep(5)
        waiting.send_signal(signal.SIGINT)
        rest, _ = waiting.communicate(timeout=60)
        assert waiting.returncode == 130, rest
        assert "6 of 6 trials are missing" in rest
        assert "no record was written" not in rest
        assert place.begun() == {}
    finally:
        head.terminate()
        head.wait(timeout=60)


def test_what_a_shell_has_set_for_other_runs_is_set_aside():
    os.environ |= {"TUNE_MAX_PENDING_TRIALS_PG": "1", "RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL": "patch",
                   "WANDB_SWEEP_ID": "x", "WANDB_RUN_ID": "y", "WANDB_BASE_URL": "http://mine",
                   "RAY_ADDRESS": "http://stops.here"}  # fmt: skip
    refused("dashboard")
    kept = {name for name in os.environ if name.startswith(("TUNE_", "WANDB_"))}
    assert kept == {name for name in module.FIXED if name.startswith("TUNE_")} | {"WANDB_BASE_URL"} | (
        kept & {"WANDB_MODE", "WANDB_SILENT"}
    )
    assert os.environ["RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL"] == "minor"
