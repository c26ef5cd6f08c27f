"""A trial from config to record, with the real W&B client, offline."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import wandb
from safetensors.torch import save_file
from wandb_stub import ENTITY, WandbStub

from study.plan import RunRecord, Trial
from study.settings import Settings
from study.storage import Storage, TrialFiles
from study.tracking.log_reader import is_complete, read_log, values
from study.trial.attempt import attempt
from study.trial.execute import run_trial
from study.trial.inputs import check_inputs
from wbc_model.choices import Init, Network, Trunks
from wbc_model.datasets.dataset import DataError
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.weights import TrunkSpec, WeightsError
from wbc_model.preparation.manifest import read_manifest, write_manifest
from wbc_model.scoring.metrics import ConfusionMatrix

pytestmark = pytest.mark.slow

ALONE = """
import json, sys, torch
from study.trial.attempt import attempt
from study.plan import Trial
from study.settings import Settings
torch.set_num_threads(1)
list(attempt(Trial.from_json(json.loads(sys.argv[1])), Settings.from_json(json.loads(sys.argv[2]))))
"""


def files_of(trial: Trial, settings: Settings) -> TrialFiles:
    return Storage(settings.storage).trial(trial.id)


def record_of(trial: Trial, settings: Settings) -> RunRecord:
    content = files_of(trial, settings).read("record.json")
    assert content is not None
    return RunRecord.from_json(json.loads(content))


def logs(settings: Settings) -> list[Path]:
    return sorted(Path(settings.storage).glob("wandb/*/run-*.wandb"))


def history(log: Path) -> list[int]:
    """Epochs in a W&B log, in order."""
    rows = (record.history.item for record in read_log(log) if record.WhichOneof("record_type") == "history")
    return [int(values(row)["epoch"]) for row in rows]


def exit_code(log: Path) -> int:
    (code,) = (r.exit.exit_code for r in read_log(log) if r.WhichOneof("record_type") == "exit")
    return code


def run(trial: Trial, settings: Settings) -> RunRecord:
    for _ in run_trial(trial, settings):
        pass
    return record_of(trial, settings)


def timeless(record: RunRecord) -> RunRecord:
    curves = [row | {"seconds": 0} for row in record.curves]
    return replace(record, seconds=0, curves=curves, provenance=record.provenance | {"peak": None})


def test_a_trial_leaves_record_log_predictions_and_run(trials: list[Trial], settings: Settings):
    trial = trials[-1]
    record = run(trial, settings)
    files = files_of(trial, settings)
    predictions = np.load(Path(str(files.folder)) / "predictions.npz")
    assert [row["epoch"] for row in files.epochs()] == [0, 1, 2]
    assert record.curves == files.epochs()
    assert not [name for row in record.curves for name in row if "test" in name], "nothing to tune on the test set by"
    assert record.validation.accuracy == max(row["validation_accuracy"] for row in record.curves)
    assert record.test == ConfusionMatrix.from_predictions(
        record.test.classes, truth=predictions["truth"], predicted=predictions["probabilities"].argmax(1)
    )
    assert files.read("checkpoint.pt") is None
    assert set(record.provenance["weights"]) == {"resnet50", "densenet121"}
    assert record.provenance["images"]["test"] == len(predictions["ids"])
    (log,) = logs(settings)
    assert (history(log), exit_code(log)) == ([0, 1, 2], 0)
    assert (files.read("gradcam.png") or b"").startswith(b"\x89PNG")
    assert list(log.parent.glob("files/media/images/gradcam*.png"))


def test_the_best_epoch_is_tested_not_the_last(trials: list[Trial], settings: Settings):
    trial = replace(trials[3], config=replace(trials[3].config, lr=0.05, epochs=5))
    records = (run(replace(trial, seed=seed), settings) for seed in range(10))
    record = next(r for r in records if r.curves[-1]["validation_accuracy"] < r.validation.accuracy)
    assert record.curves[record.best_epoch]["validation_accuracy"] == record.validation.accuracy


def test_a_worker_that_did_another_trial_before_does_this_one_alike(
    trials: list[Trial], settings: Settings, tmp_path: Path
):
    """Actors are used for one trial after the other: nothing of one is left for the next."""
    fresh = [sys.executable, "-c", ALONE, json.dumps(trials[-1].to_json()), json.dumps(settings.to_json())]
    subprocess.run(fresh, check=True, cwd=Path(__file__).parents[2])
    alone = record_of(trials[-1], settings)
    after = replace(settings, storage=str(tmp_path / "after"))
    run(trials[3], after)
    failed = attempt(trials[0], replace(after, weights=tmp_path / "nothing"))
    assert [row["outcome"]["kind"] for row in failed] == ["data"]
    assert timeless(run(trials[-1], after)) == timeless(alone)


def test_wandb_sync_brings_a_server_one_whole_run(
    trials: list[Trial], settings: Settings, wandb_stub: WandbStub, tmp_path: Path
):
    """Of a trial that was killed and went on, offline."""
    trial = trials[-1]
    killed = run_trial(trial, settings)
    next(killed)
    killed.close()
    record = run(trial, settings)
    (log,) = logs(settings)
    sync = [str(Path(sys.executable).with_name("wandb")), "sync", "--yes", "--entity", ENTITY, str(log.parent)]
    done = subprocess.run(sync, capture_output=True, text=True, check=False, env=os.environ, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (there,) = wandb_stub.runs.values()
    assert (there.id, there.state) == (trial.id, "finished")
    assert [row["epoch"] for row in there.history if "epoch" in row] == [0, 1, 2]
    assert RunRecord.from_json(json.loads(there.summary["record"])) == record
    assert "predictions.npz" in there.files
    (model,) = wandb_stub.artifacts.models(trial.id)
    assert (model.type, model.aliases) == ("model", {"latest", "best", "seed-0"})
    assert model.files["model.safetensors"] == files_of(trial, settings).read("model.safetensors")


def test_a_run_is_whole_however_late_wandb_writes_it(
    trials: list[Trial], settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """W&B's `finish` returns before its file is written, one time in ten or so; here it does so every time."""
    finish = wandb.Run.finish

    def late(self: wandb.Run, *, exit_code: int) -> None:
        threading.Timer(0.5, lambda: finish(self, exit_code=exit_code)).start()

    monkeypatch.setattr(wandb.Run, "finish", late)
    run(trials[3], settings)
    (log,) = logs(settings)
    assert is_complete(log)


def test_a_run_that_is_never_written_is_an_error(
    trials: list[Trial], settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wandb.Run, "finish", lambda *_, **__: None)
    monkeypatch.setattr("study.tracking.wandb_run.FLUSH_SECONDS", 0.2)
    with pytest.raises(TimeoutError, match=r"not written the end of the run to .*\.wandb in 0.2 s"):
        run(trials[3], settings)
    assert Storage(settings.storage).finished() == set()
    wandb.teardown()  # else the client holds the run's id, which other tests use


@pytest.mark.parametrize("epochs_before_the_kill", [1, 2, 3])
def test_a_killed_trial_goes_on_and_ends_as_if_it_had_not_been(
    epochs_before_the_kill: int, trials: list[Trial], settings: Settings, tmp_path: Path
):
    trial = trials[-1]
    whole = run(trial, replace(settings, storage=str(tmp_path / "whole")))
    killed: Iterator[dict] = run_trial(trial, settings)
    for _ in range(epochs_before_the_kill):
        next(killed)
    killed.close()
    assert files_of(trial, settings).read("record.json") is None
    rows = list(run_trial(trial, settings))
    assert [row["epoch"] for row in rows] == [0, 1, 2][epochs_before_the_kill:]
    assert timeless(record_of(trial, settings)) == timeless(whole)
    assert "devices" not in whole.provenance
    (log,) = logs(settings)
    assert (history(log), exit_code(log)) == ([0, 1, 2], 0)


def test_a_trial_that_went_on_on_another_device_says_so(trials: list[Trial], settings: Settings):
    trial = trials[-1]
    killed = run_trial(trial, settings)
    next(killed)
    killed.close()
    torch.set_num_threads(2)
    record = run(trial, settings)
    torch.set_num_threads(1)
    assert record.provenance["devices"] == ["cpu, 1 threads", "cpu, 2 threads"]


def test_a_trial_never_goes_on_with_other_weights(trials: list[Trial], settings: Settings, tmp_path: Path):
    """Its checkpoint is of another training then, and it starts anew."""
    trial = trials[0]
    killed = run_trial(trial, settings)
    next(killed)
    killed.close()
    other = tmp_path / "weights"
    shutil.copytree(settings.weights or "", other)
    save_file(
        build_trunk(TrunkSpec(Network.RESNET50, Trunks.TINY), init=Init.RANDOM, seed=5).body.state_dict(),
        other / "tiny_resnet50.safetensors",
    )
    assert [row["epoch"] for row in run_trial(trial, replace(settings, weights=other))] == [0, 1, 2]


def test_an_epoch_logged_but_not_saved_is_done_again_once(trials: list[Trial], settings: Settings):
    """Killed between the epoch log and the checkpoint: the log is cut back to the checkpoint."""
    trial = trials[-1]
    killed = run_trial(trial, settings)
    next(killed)
    killed.close()
    files = files_of(trial, settings)
    files.write_epochs([*files.epochs(), {"epoch": 1, "train_loss": -1.0}])
    run(trial, settings)
    assert [row["epoch"] for row in files.epochs()] == [0, 1, 2]
    assert min(row["train_loss"] for row in files.epochs()) > 0


def test_a_failed_trial_is_failed_in_wandb_and_has_no_record(trials: list[Trial], settings: Settings, tmp_path: Path):
    broken = replace(settings, weights=tmp_path / "nothing")
    with pytest.raises(WeightsError):
        next(run_trial(trials[0], broken))
    assert Storage(settings.storage).finished() == set()
    assert [exit_code(log) for log in logs(settings)] == [1]


def test_test_labels_cannot_reach_training(trials: list[Trial], settings: Settings, tmp_path: Path):
    """With every test image relabelled, training and the choice of the epoch stay the same."""
    honest = run(trials[0], settings)
    cache = tmp_path / "poisoned"
    shutil.copytree(settings.cache, cache)
    (manifest,) = cache.glob("*/manifest.csv")
    entries = read_manifest(manifest)
    write_manifest(manifest, [replace(each, cell="basophil") if each.split == "test" else each for each in entries])
    other = run(trials[0], replace(settings, storage=str(tmp_path / "other"), cache=cache))
    assert timeless(other).curves == timeless(honest).curves
    assert other.best_epoch == honest.best_epoch
    assert other.test != honest.test


def test_inputs_are_checked_before_anything_starts(trials: list[Trial], settings: Settings, tmp_path: Path):
    with pytest.raises(WeightsError, match="found: none"):
        check_inputs(trials, replace(settings, weights=tmp_path))
    with pytest.raises(DataError, match="no such folder"):
        check_inputs(trials, replace(settings, data=tmp_path / "nowhere"))
    assert check_inputs(trials, settings) == []
    assert list(settings.cache.glob("lisc-32-*/manifest.csv"))


def test_what_is_left_out_is_told_and_the_manifest_kept(trials: list[Trial], settings: Settings, tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(settings.data, data)
    bad = next((data / "LISC Database/Main Dataset/Baso").iterdir())
    bad.write_bytes(b"")
    (note,) = check_inputs(trials, replace(settings, data=data))
    (manifest,) = Path(settings.storage).glob("data/lisc-*.csv")
    assert note == f"lisc: 1 of 242 files left out, see data/{manifest.name} in storage"
    assert f"Baso/{bad.name},basophil,,0," in manifest.read_text()
