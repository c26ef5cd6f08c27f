"""The real W&B client, online against a server on loopback: what arrives, and what happens when it does not answer."""

import contextlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from launching import Place
from wandb_stub import ENTITY, KEY, Request, WandbStub

from study.plan import RunRecord, Trial
from study.reconcile import main as reconcile
from study.session import compare_online
from study.settings import Settings
from study.storage import Storage
from study.tracking import wandb_run as tracking
from study.tracking.wandb_run import check, environment, mode
from study.trial.execute import run_trial
from wbc_model.errors import InputError
from wbc_model.scoring.metrics import ConfusionMatrix

pytestmark = pytest.mark.slow


@pytest.fixture
def stub(wandb_stub: WandbStub, monkeypatch: pytest.MonkeyPatch) -> WandbStub:
    """With a key, W&B is online without being told so."""
    monkeypatch.delenv("WANDB_MODE")
    return wandb_stub


@pytest.fixture
def online(settings: Settings, stub: WandbStub) -> Settings:
    assert stub.url
    return replace(settings, tracking="online", entity=ENTITY)


def run(trial: Trial, settings: Settings) -> RunRecord:
    for _ in run_trial(trial, settings):
        pass
    record = Storage(settings.storage).trial(trial.id).record()
    assert record
    return record


def epochs(stub: WandbStub, trial: Trial) -> list[int]:
    return [row["epoch"] for row in stub.runs[trial.id].history if "epoch" in row]


def test_everything_of_a_trial_arrives(trials: list[Trial], online: Settings, stub: WandbStub):
    trial = trials[-1]
    record = run(trial, online)
    there = stub.runs[trial.id]
    assert (there.state, there.project, epochs(stub, trial)) == ("finished", "wbc-study", [0, 1, 2])
    assert RunRecord.from_json(json.loads(there.summary["record"])) == record
    assert there.summary["test/confusion"] == [list(row) for row in record.test.counts]
    assert {f"test/{name}" for name in record.test.scores()} <= there.summary.keys()
    assert (there.fields["groupName"], there.fields["jobType"]) == ("table 11", "rehearsal")
    assert there.fields["tags"] == ["table 11", "lisc"]
    assert there.config["model"]["attention"] == "scam"
    origin = there.config["provenance"]
    assert {"git", "code", "versions", "data", "weights", "node", "device"} <= origin.keys()
    assert there.files["predictions.npz"] == Storage(online.storage).trial(trial.id).read("predictions.npz")
    kinds = {re.sub(r"_\d.*", "", name) for name in there.files}
    assert {"media/table/predictions", "media/table/confusion_matrix", "media/images/gradcam"} <= kinds


def test_the_key_goes_to_workers_and_into_no_file(trials: list[Trial], online: Settings):
    assert environment(online)["WANDB_API_KEY"] == KEY
    assert KEY not in str(online.to_json())
    run(trials[0], online)
    kept = [file for file in Path(online.storage).rglob("*") if file.is_file()]
    assert kept
    assert not [file for file in kept if KEY.encode() in file.read_bytes()]


def test_a_failed_trial_is_failed_on_the_server(trials: list[Trial], online: Settings, stub: WandbStub, tmp_path: Path):
    with pytest.raises(InputError, match="found: none"):
        run(trials[0], replace(online, weights=tmp_path / "nothing"))
    assert stub.runs[trials[0].id].state == "failed"


def test_a_killed_trial_goes_on_as_one_run_with_every_epoch_once(
    trials: list[Trial], online: Settings, stub: WandbStub
):
    trial = trials[-1]
    attempt = run_trial(trial, online)
    next(attempt)
    next(attempt)
    attempt.close()
    assert stub.runs[trial.id].state == "failed"
    run(trial, online)
    assert (stub.runs[trial.id].state, epochs(stub, trial)) == ("finished", [0, 1, 2])
    assert reconcile(["--storage", online.storage]) == 0


def hang(request: Request) -> int | None:
    time.sleep(30 if "file_stream" in request.path else 0)
    return None


FAULTS: dict[str, Callable[[Request], int | None]] = {
    "answers 500": lambda _: 500,
    "answers 429": lambda _: 429,
    "hangs": hang,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", ["start", "middle"])
def test_a_server_that_fails_loses_nothing_and_is_brought_up_to_date(
    at: str, fault: str, trials: list[Trial], online: Settings, stub: WandbStub, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    """The trial ends in bounded time with its record; `reconcile` names what the server lacks, and repairs it."""
    monkeypatch.setattr(tracking, "FLUSH_SECONDS", 5)
    trial = trials[0]
    attempt = run_trial(trial, online)
    if at == "middle":
        next(attempt)
        time.sleep(1)
    stub.fault = FAULTS[fault]
    began = time.monotonic()
    for _ in attempt:
        pass
    assert time.monotonic() - began < 40
    assert Storage(online.storage).trial(trial.id).record()
    stub.fault = None
    before = reconcile(["--storage", online.storage])
    assert reconcile(["--storage", online.storage, "--repair"]) == 0, capsys.readouterr().err
    assert (stub.runs[trial.id].state, epochs(stub, trial)) == ("finished", [0, 1, 2])
    assert before == 1 or fault == "hangs"


def test_a_server_that_cannot_be_asked_at_the_end_leaves_the_study_finished(
    trials: list[Trial], online: Settings, stub: WandbStub, capsys: pytest.CaptureFixture[str]
):
    stub.fault = lambda request: 401 if request.operation else None
    matrix = ConfusionMatrix(("a", "b"), ((1, 0), (0, 1)))
    record = RunRecord(trial=trials[0], best_epoch=0, validation=matrix, test=matrix, curves=[], seconds=1.0,
                       provenance={})  # fmt: skip
    assert compare_online([record], online) == 1
    told = capsys.readouterr().err
    assert "All trials are finished and in storage, but could not be compared with W&B: " in told
    assert f"To compare them later: python -m study.reconcile --storage {online.storage}" in told
    assert compare_online([record], replace(online, tracking="offline")) == 0


@pytest.mark.usefixtures("stub")
def test_a_mode_that_is_set_but_empty_is_not_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", "")
    assert mode(offline=False) == "online"
    assert "WANDB_MODE" not in os.environ
    monkeypatch.setenv("WANDB_MODE", "on")
    with pytest.raises(InputError, match="WANDB_MODE=on: must be one of online, offline, disabled"):
        mode(offline=False)


def test_bad_tracking_stops_a_study_before_it_starts(online: Settings, stub: WandbStub):
    check(online)
    with pytest.raises(InputError, match="the key has no access to the entity nobody, only to lab, tester"):
        check(replace(online, entity="nobody"))
    stub.fault = lambda request: 401 if request.operation else None
    with pytest.raises(InputError, match=r"does not accept runs: .*401.*WANDB_MODE=offline keeps the runs"):
        check(online)


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "https_proxy"])
def test_a_proxy_that_is_in_the_way_is_named_without_its_password(
    proxy: str, online: Settings, stub: WandbStub, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(proxy, "http://me:secret@127.0.0.1:9")
    stub.fault = lambda _: 403
    with pytest.raises(InputError, match=rf"\(through the proxy that {proxy} sets; NO_PROXY") as raised:
        check(online)
    assert "secret" not in str(raised.value)


def test_a_server_that_takes_runs_and_answers_no_questions_is_used(
    online: Settings, stub: WandbStub, capsys: pytest.CaptureFixture[str]
):
    """As that of `openwandb` does, which knows no operation of `wandb.Api`."""
    stub.fault = lambda request: 400 if request.operation == "GetViewer" else None
    check(online)
    assert "knows the key and cannot be asked about runs" in capsys.readouterr().err


def command_lines() -> set[str]:
    """Of all processes on this machine."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            found.add(file.read_bytes().decode(errors="replace"))
    return found


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """For Ray's sockets and logs; its path is short, as sockets want it."""
    with tempfile.TemporaryDirectory(prefix="wbc-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_a_study_online_through_real_workers(
    drawn: Path, weights: Path, tmp_path: Path, stub: WandbStub, ray_folder: Path
):
    """Nothing of W&B's is in the workers' environment but what the launcher passes on, such as a sweep agent's.

    Modules of the user's in the current folder are not imported. W&B's key is nobody else's to see, and Ray leaves no
    token in a new home.
    """
    for module in ("study", "wbc_model", "torch", "random", "wandb"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('a module of the user was imported')\n")
    (tmp_path / "home").mkdir()
    agent = {"WANDB_PROJECT": "mine", "WANDB_SWEEP_ID": "sweep", "WANDB_RUN_ID": "one", "WANDB_RESUME": "must"}
    own = {"HOME": str(tmp_path / "home"), "RAY_TMPDIR": str(ray_folder)}
    place = Place(tmp_path, drawn, weights, tmp_path / "cache", env=stub.environment | agent | own)
    launched, seen = place.start("--tables", "11", "--datasets", "lisc"), set[str]()
    while launched.poll() is None:
        seen |= command_lines()
        time.sleep(0.5)
    told, _ = launched.communicate()
    assert launched.returncode == 0, told
    assert "6 of 6 finished trials agree with W&B's server, each epoch once." in told
    assert all(any(name in line for line in seen) for name in ("raylet", "ray::", "wandb-core"))
    assert not [line for line in seen if KEY in line]
    written = [file for folder in (tmp_path, ray_folder) for file in folder.rglob("*") if file.is_file()]
    assert not [file for file in written if KEY.encode() in file.read_bytes()]
    assert not list((tmp_path / "home").rglob("auth_token"))
    assert {run.state for run in stub.runs.values()} == {"finished"}
    assert {run.project for run in stub.runs.values()} == {"mine"}
    assert len(stub.runs) == 6
    assert KEY not in told
