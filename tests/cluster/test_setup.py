"""setup.sh with what a site sets for pip and uv, in an odd folder, and twice at once. Nothing is installed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = r"""#!/usr/bin/env bash
# Of Python all but installing: pip makes a uv that makes an environment.
case "$*" in
  "-m pip install"*)
    echo "pip ${PIP_USER:-} ${PIP_REQUIRE_VIRTUALENV:-} ${PIP_INDEX_URL:-} ${PIP_CERT:-} ${PIP_CONFIG_FILE:-}" >> "$LOG"
    mkdir -p .uv/bin && cp "$TOOLS/uv" .uv/bin/uv; sleep "${SLOW:-0}" ;;
  *) exec "$REAL" "$@" ;;
esac
"""
UV = r"""#!/usr/bin/env bash
case "$1" in
  venv) rm -rf .venv; mkdir -p .venv/bin; ln -s "$REAL" .venv/bin/python ;;
  *) echo "uv ${UV_SYSTEM_PYTHON:-} ${UV_REQUIRE_HASHES:-} ${UV_DEFAULT_INDEX:-} ${UV_CACHE_DIR:-}" >> "$LOG" ;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, body in {"python": PYTHON, "uv": UV}.items():
        (folder / name).write_text(body)
        (folder / name).chmod(0o755)
    return folder


def checkout(folder: Path) -> Path:
    (folder / "cluster").mkdir(parents=True)
    shutil.copy(ROOT / "cluster" / "setup.sh", folder / "cluster")
    for name in ("requirements.txt", "pyproject.toml"):
        (folder / name).write_text("")
    return folder


def start(folder: Path, tools: Path, **env: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    whole = kept | {"PYTHON": str(tools / "python"), "TOOLS": str(tools), "REAL": f"{sys.base_prefix}/bin/python3",
                    "LOG": str(tools / "log")} | env  # fmt: skip
    return subprocess.Popen([folder / "cluster" / "setup.sh"], cwd=folder, env=whole, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


def set_up(folder: Path, tools: Path, **env: str) -> tuple[int, str, list[str]]:
    process = start(folder, tools, **env)
    _, told = process.communicate(timeout=60)
    log = tools / "log"
    return process.returncode, told, log.read_text().splitlines() if log.exists() else []


SETTINGS = {
    "variables": ({"PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1", "PIP_TARGET": "x", "UV_SYSTEM_PYTHON": "1",
                   "UV_REQUIRE_HASHES": "1", "PYTHONPATH": "/nowhere", "CDPATH": "/tmp:/"}, ""),
    "a file": ({}, "[global]\nuser = true\nrequire-virtualenv = true\n[install]\nprefix = /nowhere\n"),
}  # fmt: skip


@pytest.mark.parametrize("how", SETTINGS)
def test_settings_for_other_installations_are_set_aside(how: str, tools: Path, tmp_path: Path):
    env, text = SETTINGS[how]
    (tmp_path / "pip.conf").write_text(text)
    status, told, log = set_up(checkout(tmp_path / "a"), tools, PIP_CONFIG_FILE=str(tmp_path / "pip.conf"), **env)
    assert (status, [line.split() for line in log]) == (0, [["pip", "/dev/null"], ["uv"], ["uv"]]), told


def test_how_packages_are_reached_is_honoured_by_both(tools: Path, tmp_path: Path):
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = http://mirror/simple\n[install]\nuser = yes\n")
    env = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_CERT": "/site.pem", "UV_CACHE_DIR": "/big"}
    status, told, log = set_up(checkout(tmp_path / "a"), tools, **env)
    assert status == 0, told
    assert log == ["pip   http://mirror/simple /site.pem /dev/null", *2 * ["uv   http://mirror/simple /big"]]


@pytest.mark.parametrize("name", ["my study", "it's", 'a"b', "a\\b"])
def test_a_folder_from_which_ray_cannot_start_is_refused_at_once(name: str, tools: Path, tmp_path: Path):
    status, told, log = set_up(checkout(tmp_path / name), tools)
    assert (status, log) == (2, [])
    assert told == (f"setup: Ray cannot start workers from {tmp_path / name}, whose path has a blank or a quote: "
                    "move the project\n")  # fmt: skip


@pytest.mark.parametrize("name", ["é", "[1]", "a$b"])
def test_other_odd_folders_are_fine(name: str, tools: Path, tmp_path: Path):
    assert set_up(checkout(tmp_path / name), tools)[0] == 0


def test_it_is_done_once_and_again_where_the_environment_does_not_run(tools: Path, tmp_path: Path):
    folder = checkout(tmp_path / "a")
    times = [sum(line.startswith("pip") for line in set_up(folder, tools)[2]) for _ in range(2)]
    (folder / ".venv" / "bin" / "python").unlink()
    (folder / ".venv" / "bin" / "python").symlink_to("/of/another/machine/python")
    times.append(sum(line.startswith("pip") for line in set_up(folder, tools)[2]))
    assert times == [1, 1, 2]


def test_of_two_at_once_one_waits_and_has_nothing_left_to_do(tools: Path, tmp_path: Path):
    folder = checkout(tmp_path / "a")
    first = start(folder, tools, SLOW="1")
    while not (tools / "log").exists():
        time.sleep(0.01)
    second = start(folder, tools)
    assert [process.communicate(timeout=60)[1] for process in (first, second)] == [
        "setup: installing the pinned packages into .venv (about 6 GB, once)\n",
        "setup: waiting for another set-up in this folder\n",
    ]
    assert (first.returncode, second.returncode) == (0, 0)
    assert sum(line.startswith("pip") for line in (tools / "log").read_text().splitlines()) == 1
