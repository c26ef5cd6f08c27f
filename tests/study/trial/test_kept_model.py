"""The model that a finished trial keeps, and its card."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from study.plan import Trial
from study.settings import Settings
from study.storage import Storage
from study.trial.execute import run_trial
from study.trial.inputs import check_inputs, prepared
from study.trial.kept_model import without_model
from tests.study.trial.test_execute import ALONE, record_of
from wbc_model.choices import Trunks
from wbc_model.config import TrialConfig
from wbc_model.inference.model_file import SavedModel, from_bytes
from wbc_model.inference.model_info import CARD, FILE
from wbc_model.models import TwoBranch
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.scoring.predictions import Predictions
from wbc_model.training.predict import predict

FAULTS = Path(__file__).parents[2] / "faults"


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        (None, [True, True, False, False]),
        ("all", [True, True, True, False]),
        ("proposed", [True, False, True, False]),
        ("none", [False, False, False, False]),
    ],
)
def test_which_trials_keep_their_model(keep, kept: list[bool], settings: Settings):
    """The proposed one, another, a rehearsal with large networks, and one of a search."""
    drawn = {"images": "drawn"}
    every = [
        Trial(TrialConfig(), 0),
        Trial(TrialConfig(mixup_alpha=0.4), 0),
        Trial(TrialConfig().override(drawn), 0, overrides=drawn),
    ]
    settings = replace(settings, keep_weights=keep)
    searching = replace(settings, search="architecture")
    assert [*map(settings.keeps, every), searching.keeps(every[0])] == kept
    tiny = drawn | {"trunks": Trunks.TINY.value}
    assert settings.keeps(Trial(TrialConfig().override(tiny), 0, overrides=tiny)) == kept[0]


def test_the_proposed_model_is_that_of_the_study_on_any_dataset():
    set_for_all = {"model.attention": "se", "epochs": 2}
    ours = TrialConfig(dataset="lisc", test_on="all").override(set_for_all)
    assert Trial(ours, 0, overrides=set_for_all).proposed
    assert not Trial(ours, 0).proposed
    assert not Trial(replace(ours, model=TwoBranch(resnet=None)), 0, overrides=set_for_all).proposed


def kept_by(trial: Trial, settings: Settings) -> SavedModel:
    return from_bytes(Storage(settings.storage).trial(trial.id).read(FILE) or b"", where=FILE)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_a_finished_trial_keeps_the_model_that_was_tested(
    place: str, trials: list[Trial], settings: Settings, request: pytest.FixtureRequest
):
    trial = trials[-1]
    if place == "bucket":
        settings = replace(settings, storage=f"{request.getfixturevalue('bucket')}/kept")
    check_inputs([trial], settings)
    list(run_trial(trial, settings))
    files, record = Storage(settings.storage).trial(trial.id), record_of(trial, settings)
    saved = kept_by(trial, settings)
    assert (saved.info.trial, saved.info.config, saved.info.seed) == (trial.id, trial.config, 0)
    assert saved.info.best_epoch == record.best_epoch
    assert saved.info.provenance | {"peak": record.provenance["peak"]} == record.provenance
    assert record.provenance["peak"]["weights_bytes"] == sum(t.nbytes for t in saved.network.state_dict().values())
    test = prepared(trial.config.data, settings).sets["test"]
    then = Predictions.from_npz(files.read("predictions.npz") or b"", classes=test.cells)
    assert np.allclose(predict(saved.network, test), then.probabilities, atol=1e-6)
    card = (files.read(CARD) or b"").decode()
    assert "**Rehearsal.**" in card
    assert f"Accuracy {100 * record.test.accuracy:.1f} (" in card
    assert "| test | 8 | 13 | 7 | 8 | 13 | 49 |" in card
    assert "free for research" not in card, "nobody's images were used"
    assert f"temperature {saved.info.calibration.temperature:.3f}" in card
    assert without_model([trial], settings) == []


@pytest.mark.slow
def test_a_trial_that_is_killed_while_it_writes_its_model_goes_on_and_keeps_it(
    trials: list[Trial], settings: Settings, tmp_path: Path
):
    trial = replace(trials[3], config=replace(trials[3].config, epochs=1))
    folder = Path(settings.storage) / "trials" / trial.id
    faults = {"log": str(tmp_path / "log"), "rules": [{"file": FILE, "once": str(tmp_path / "once")}]}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    env = kept | {"PYTHONPATH": str(FAULTS), "WBC_FAULTS": json.dumps(faults)}
    words = [sys.executable, "-c", ALONE, json.dumps(trial.to_json()), json.dumps(settings.to_json())]
    codes = []
    for _ in range(2):
        codes.append(subprocess.run(words, cwd=Path(__file__).parents[3], env=env, check=False).returncode)
        assert (folder / FILE).exists() == (folder / "record.json").exists() == (len(codes) == 2)
    assert codes == [-9, 0]
    assert not list(folder.glob(".*")), "the half that was written"
    assert [int(line.split()[1]) for line in (tmp_path / "log").read_text().splitlines()] == [0]
    images = prepared(trial.config.data, settings).sets["test"]
    there = record_of(trial, settings).test
    called = predict(kept_by(trial, settings).network, images).argmax(1)
    there = record_of(trial, settings).test
    assert ConfusionMatrix.from_predictions(images.cells, truth=images.labels, predicted=called) == there


@pytest.mark.slow
def test_a_trial_that_keeps_none_leaves_none_of_an_earlier_training(trials: list[Trial], settings: Settings):
    trial, files = trials[3], Storage(settings.storage).trial(trials[3].id)
    for name in (FILE, CARD, "evaluations/lisc.json"):
        files.write(name, b"of an earlier training")
    list(run_trial(trial, replace(settings, keep_weights="none")))
    assert {file.name for file in files.folder.rglob("*") if file.is_file()} == {
        "record.json", "epochs.jsonl", "predictions.npz"
    }  # fmt: skip
    assert without_model([trial], replace(settings, keep_weights="none")) == []
    (told,) = without_model([trial], settings)
    assert told.startswith(f"1 finished trial kept no model ({trial.id}): ")
