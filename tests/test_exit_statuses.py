"""The exit status of every command: 0 all is well, 1 something is missing or was found, 2 invalid input."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from search_spaces.paper import TABLES
from study.plan import plan
from study.storage import Storage, write_plan

ROOT = Path(__file__).parents[1]
COMMANDS = ("analysis", "study.evaluate", "study.reconcile", "study.run", "study.status", "wbc_model.audit",
            "wbc_model.describe", "wbc_model.export", "wbc_model.predict", "wbc_model.prepare")  # fmt: skip
OF_ANALYSIS = ("audit", "check", "compare", "dashboard", "laboratory", "robustness", "search", "verify")
CASES = """
0 study.run --plan --storage {new}
0 study.run --plan --json --tables 5 --storage {new}
0 study.run --search ?
2 study.run --plan --tables 99
2 study.run --plan --set epochs=x
2 study.run --plan --set nothing=1
2 study.run --plan --project my/project
2 study.run --plan --storage s3:/bucket/runs
2 study.run --plan --storage nothing://bucket
2 study.run --plan --dataset {new}
2 study.run --plan --cpus 0
2 study.run --plan --cpus inf
2 study.run --plan --cpus 0.00001
2 study.run --plan --gpus 1.5
2 study.run --plan --gpus 0.0001
0 study.run --plan --gpus 2 --cpus 1.5 --storage {new}
2 study.run --plan --seeds -1
2 study.run --plan --seeds 10000000000
2 study.run --data {new}
2 study.run --rehearse --data {drawn}
2 study.run --search nothing --data {drawn}
1 study.status --storage {begun}
2 study.status --storage {new}
2 study.status --storage {file}
0 study.reconcile --storage {new}
2 study.reconcile --storage {new} --project a:b
2 study.evaluate --storage {new}
2 study.evaluate {new}
0 wbc_model.prepare lisc --data {drawn} --image-size 16 --cache {cache} --check
2 wbc_model.prepare --data {new}
2 wbc_model.prepare {new}
2 wbc_model.prepare lisc --data {drawn} --image-size 16 --cache {file}/below
0 wbc_model.audit lisc --data {drawn} --cache {cache}
2 wbc_model.audit lisc --data {new}
2 wbc_model.audit {new}
2 wbc_model.describe timm:nothing.like_it
2 wbc_model.export {new} --onnx {new}
2 wbc_model.predict {new} {drawn}
2 analysis --storage {new}
2 analysis --storage {empty} --tables 99
2 analysis --storage {empty} --no-figures --tables 8
2 analysis check {new}
2 analysis compare {new} {empty}
2 analysis compare {empty} {empty}
2 analysis compare {empty}
2 analysis dashboard
2 analysis laboratory --storage {new}
2 analysis robustness --storage {new}
2 analysis search nothing --storage {new}
2 analysis search architecture --storage {new}
2 analysis verify --storage {new}
""".strip().splitlines()


def main_of(command: str) -> Callable[[list[str]], int]:
    package = (ROOT / command.replace(".", "/")).is_dir()
    return import_module(f"{command}.__main__" if package else command).main


def status(command: str, *words: str) -> int:
    try:
        return main_of(command)(list(words))
    except SystemExit as ended:  # argparse's own
        return int(ended.code or 0)


@pytest.fixture
def places(tmp_path: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "file").touch()
    (tmp_path / "empty" / "trials").mkdir(parents=True)
    write_plan(Storage(str(tmp_path / "begun")), plan(TABLES[:1]))
    return {"drawn": drawn} | {name: tmp_path / name for name in ("new", "empty", "begun", "file", "cache")}


def test_every_command_is_here():
    sources = [file for package in ("wbc_model", "study", "analysis") for file in (ROOT / package).rglob("*.py")]
    found = [file.relative_to(ROOT) for file in sources if 'if __name__ == "__main__"' in file.read_text("utf-8")]
    names = {".".join(file.with_suffix("").parts).removesuffix(".__main__") for file in found}
    assert names == set(COMMANDS)


@pytest.mark.parametrize("command", [*COMMANDS, *(f"analysis {name}" for name in OF_ANALYSIS)])
def test_help_is_0_and_an_unknown_option_2(command: str, capsys: pytest.CaptureFixture[str]):
    words = command.split()
    assert status(*words, "--help") == 0
    assert "usage: " in capsys.readouterr().out
    assert status(*words, "--nothing-like-it") == 2


@pytest.mark.parametrize("case", CASES)
def test_the_status_says_what_happened(case: str, places: dict[str, Path], capsys: pytest.CaptureFixture[str]):
    expected, *words = shlex.split(case.format(**places))
    assert status(*words) == int(expected), capsys.readouterr()
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert ("error: " in told) == (expected == "2")


@pytest.mark.parametrize("variable", ["PYTHONOPTIMIZE=2", "PYTHONOPTIMIZE=1", "PYTHONIOENCODING=ascii", "LC_ALL=C"])
def test_what_the_shell_sets_for_python_stops_no_plan(variable: str, tmp_path: Path):
    name, _, value = variable.partition("=")
    command = [sys.executable, ROOT / "study" / "run.py", "--plan", "--storage", tmp_path]
    done = subprocess.run(command, env=os.environ | {name: value}, capture_output=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


def test_without_docstrings_a_launch_says_what_to_unset(drawn: Path, tmp_path: Path):
    command = [sys.executable, ROOT / "study" / "run.py", "--data", drawn, "--storage", tmp_path]
    env = os.environ | {"PYTHONOPTIMIZE": "2"}
    done = subprocess.run(command, env=env, capture_output=True, check=False, cwd=tmp_path, text=True)
    assert (done.returncode, done.stderr) == (
        2, "error: Ray needs the docstrings that PYTHONOPTIMIZE=2 and -OO remove: unset the variable\n"
    )  # fmt: skip


def test_ctrl_c_is_130_without_a_traceback():
    main = "@reports_input_errors\ndef main():\n    print('on', flush=True)\n    time.sleep(60)\n"
    heeded = "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # which a shell's background jobs do not
    code = f"import signal, sys, time\nfrom wbc_model.errors import *\n{heeded}{main}sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert (process.communicate(timeout=20)[1], process.returncode) == ("\n", 130)
