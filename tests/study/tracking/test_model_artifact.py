"""A trial's model as an artifact of its run, with the real W&B client."""

import json
from dataclasses import replace

import pytest
import wandb
from wandb_stub import ENTITY, WandbStub

from study.plan import Trial
from study.reconcile import main as reconcile
from study.settings import Settings
from study.storage import Storage
from study.tracking.model_artifact import is_best
from study.trial.execute import run_trial
from wbc_model.inference.model_info import CARD, FILE


def test_the_best_seed_is_the_first_with_the_highest_validation_accuracy(trials: list[Trial], settings: Settings):
    storage = Storage(settings.storage)
    seeds = [replace(trials[0], seed=seed) for seed in range(4)]
    for trial, accuracies in zip(seeds, [(0.7, 0.8, 0.6), (0.9, 0.7, 0.7), (0.99, 0.99), (0.9, 0.9, 0.1)], strict=True):
        rows = [{"epoch": epoch, "validation_accuracy": value} for epoch, value in enumerate(accuracies)]
        storage.trial(trial.id).write_epochs(rows)
    best = [0.8, 0.9, 0.99, 0.9]
    found = [is_best(trial, value, storage) for trial, value in zip(seeds, best, strict=True)]
    assert found == [False, True, True, False], "the third is not trained to its end, for the others"


@pytest.mark.slow
@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_a_model_arrives_with_its_card_and_is_brought_again_where_it_is_lost(
    place: str, trials: list[Trial], settings: Settings, wandb_stub: WandbStub, request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    trial = replace(trials[3], config=replace(trials[3].config, epochs=1))
    storage = f"{request.getfixturevalue('bucket')}/artifact" if place == "bucket" else settings.storage
    settings = replace(settings, tracking="online", entity=ENTITY, storage=storage)
    list(run_trial(trial, settings))
    files = Storage(storage).trial(trial.id)
    (model,) = wandb_stub.artifacts.models(trial.id)
    assert (model.collection, model.type) == (f"model-{trial.config.id}", "model")
    assert model.aliases == {"latest", "best", "seed-0"}
    assert model.files == {FILE: files.read(FILE)}
    assert (model.description or "").encode() == files.read(CARD)
    record = files.record()
    assert record
    assert json.loads(model.metadata)["validation_accuracy"] == record.validation.accuracy
    assert wandb_stub.unknown == []
    assert wandb.Api().artifact(f"{ENTITY}/wbc-study/model-{trial.config.id}:best").metadata["trial"] == trial.id
    assert reconcile(["--storage", storage]) == 0
    wandb_stub.artifacts.versions.clear()
    assert reconcile(["--storage", storage]) == 1
    assert "its run has no model" in capsys.readouterr().err
    assert reconcile(["--storage", storage, "--repair"]) == 0
    assert [each.files for each in wandb_stub.artifacts.models(trial.id)] == [model.files]
