"""What a user types, as a process: messages, exit status, and the whole line through real Ray."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis import __main__ as printing
from search_spaces.paper import TABLES
from search_spaces.table import select
from study import reconcile, status
from study.plan import RunRecord, plan
from study.run import main
from wbc_model.scoring.metrics import ConfusionMatrix

RUN = Path(__file__).parents[2] / "study" / "run.py"


def run(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUN), *words]
    return subprocess.run(command, cwd=cwd, env=os.environ | env, capture_output=True, text=True, check=False)


def test_plan_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main(["--plan", "--json", "--storage", str(tmp_path)]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["rows"], plan["configs"], plan["trials"], plan["finished"], plan["to_run"]) == (87, 46, 46, 0, 46)
    assert [table["table"] for table in plan["tables"]] == [str(n) for n in range(4, 13)]


def test_plan_for_people(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main(["--plan", "--seeds", "0", "1", "--storage", str(tmp_path)]) == 0
    *_, last, remark = capsys.readouterr().out.splitlines()
    assert last.split()[-5:] == ["87", "46", "92", "0", "92"]
    assert remark.startswith("92 trials of unknown cost are not counted: --calibrate times a few steps")


def test_help_teaches(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    assert "--rehearse      " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tables", "99"], "no table 99: the study has tables 4, 5"),
        (["--datasets", "cifar"], "no dataset cifar: the study has ldwbc"),
        (["--set", "epochz=3"], "no knob epochz: there are mixup_alpha"),
        (["--set", "epochs=two"], "epochs=two: Input should be a valid integer"),
        (["--set", "epochs"], "--set wants KNOB=VALUE, got 'epochs'"),
        (["--set", "image_size=50"], "two branches meet on maps of image_size / 32: 50 is no multiple of 32"),
        (["--storage", "sss://study", "--plan"], "sss://study: Unsupported filesystem: 'sss'; wanted a folder, s3://"),
        (["--cpus", "0", "--doctor"], "cpus=0.0: Input should be greater than 0"),
        (["--search", "nothing"], "no search nothing: there are architecture"),
        (["--data", "nowhere"], "--rehearse needs none"),
        (["--rehearse", "--data", "somewhere"], "leave out --data and --weights"),
    ],
)
def test_bad_input_is_one_clear_message_and_leaves_nothing(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Where data is missing, the message has a line for each dataset."""
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "pydantic" not in printed
    assert printed.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("error", "last"), [("KeyError('x')", "KeyError: 'x'"), ("ValueError('x')", "ValueError: x")])
def test_a_programming_error_shows_its_traceback_and_exits_1(error: str, last: str, tmp_path: Path):
    lines = ["import study.run, sys", "def planted(*_, **__):", f"    raise {error}", "study.run.plan = planted",
             "sys.exit(study.run.main(['--plan']))"]  # fmt: skip
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True,
                          check=False)  # fmt: skip
    told = done.stderr.splitlines()
    assert (done.returncode, told[0], told[-1]) == (1, "Traceback (most recent call last):", last)


@pytest.mark.slow
def test_missing_weights_stop_the_study_before_it_starts_and_a_damaged_image_is_told(
    drawn: Path, weights: Path, tmp_path: Path
):
    words = ["--tables", "11", "--datasets", "lisc", "--data", str(drawn), "--cache", str(tmp_path / "cache"),
             "--set", "images=drawn", "trunks=tiny", "image_size=32", "epochs=1"]  # fmt: skip
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run(*words, "--weights", str(empty), cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "expected one file tiny_" in done.stderr
    assert not (tmp_path / "runs").exists()
    damaged = tmp_path / "damaged"
    subprocess.run(["cp", "-r", str(drawn), str(damaged)], check=True)
    image = next(damaged.rglob("Main Dataset/mono/*.bmp"))
    image.write_bytes(b"BM, but no more")
    done = run(*words, "--weights", str(weights), "--data", str(damaged), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lisc: 1 of 242 files left out, see data/lisc-" in done.stderr
    (manifest,) = (tmp_path / "runs" / "data").glob("lisc-*.csv")
    assert f"{image.name}: cannot be decoded as an image" in manifest.read_text()


def finished(storage: Path) -> dict[str, float]:
    return {file.parent.name: file.stat().st_mtime for file in storage.glob("trials/*/record.json")}


@pytest.mark.slow
def test_a_rehearsal_killed_half_way_finishes_the_rest_when_started_again(tmp_path: Path):
    """The whole line on one block of Table 11: draw, pre-train, six trials on two workers, tables."""
    words = ["--rehearse", "--tables", "11", "--datasets", "lisc", "--set", "epochs=2", "image_size=32"]
    storage = tmp_path / "runs" / "rehearsal"
    with (tmp_path / "log").open("w") as log:
        first = subprocess.Popen([sys.executable, str(RUN), *words], cwd=tmp_path, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 400
        while len(finished(storage)) < 2:
            assert first.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.05)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    before = finished(storage)
    assert 2 <= len(before) < 6
    again = run(*words, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    after = finished(storage)
    assert len(after) == 6
    assert {trial: after[trial] for trial in before} == before
    assert int(again.stderr.split(" finished, ")[0].split()[-1]) >= len(before)
    table = (tmp_path / "build" / "rehearsal" / "table_11.tex").read_text()
    assert "Rehearsal" in table
    assert "Table 11: 6 of 6 rows" in again.stdout
    third = run(*words, cwd=tmp_path)
    assert third.returncode == 0
    assert "6 finished, 0 to run" in third.stderr


@pytest.mark.slow
def test_a_failed_trial_is_told_and_the_others_finish(tmp_path: Path):
    """One batch is larger than LISC's training set here and not than BCCD's."""
    words = ["--rehearse", "--tables", "11", "--datasets", "lisc", "bccd", "--set", "epochs=1", "image_size=32",
             "batch_size=160", "augmentation=none"]  # fmt: skip
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert "145 training images are fewer than one batch of 160" in done.stderr
    assert "6 of 12 trials are missing" in done.stderr
    assert len(finished(tmp_path / "runs" / "rehearsal")) == 6


def test_a_storage_of_a_newer_version_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Its records hold a knob that this version does not know; no command drops a trial or shows pydantic's words."""
    (trial,) = plan(select(TABLES, numbers=["4"], datasets=[], overrides={}))[:1]
    matrix = ConfusionMatrix(trial.config.dataset.classes, ((1,) * 5,) * 5)
    record = RunRecord(trial=trial, best_epoch=0, validation=matrix, test=matrix, curves=[], seconds=1, provenance={})
    content = record.to_json()
    content["trial"]["config"]["sharpness"] = 3
    folder = tmp_path / "trials" / trial.id
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(content))
    (tmp_path / "plan.json").write_text(json.dumps([content["trial"]]))
    where = ["--storage", str(tmp_path)]
    for command, words in ((main, ["--plan"]), (status.main, []), (reconcile.main, []), (printing.main, [])):
        assert command([*words, *where]) == 2
        told = capsys.readouterr().err.strip()
        assert "that this version cannot read" in told
        assert "sharpness=3: Unexpected keyword argument" in told
        assert "pydantic" not in told
