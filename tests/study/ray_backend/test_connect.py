"""Places and settings with which Ray cannot run are refused at once, or set aside."""

import os
import socket
import sys
import tempfile
import time
from pathlib import Path

import pytest

from study.ray_backend import connect as module
from study.ray_backend.connect import connect
from wbc_model.errors import InputError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster is noted, and what is changed of the environment is changed back."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in [name for name in os.environ if name.startswith(("RAY_", "TUNE_"))]:
        del os.environ[name]
    os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="r", dir="/tmp")


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
