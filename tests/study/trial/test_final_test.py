"""What a model is asked of another dataset's test set, and what is counted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from analysis.runs.from_storage import read_offline
from search_spaces.paper import DATASETS
from study.plan import Trial
from study.settings import Settings
from study.storage import Storage
from study.trial.execute import run_trial
from study.trial.inputs import check_inputs
from study.trial.stale import compare
from tests.study.conftest import QUICK
from wbc_model.choices import CELLS
from wbc_model.config import TrialConfig
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.dataset import DataError
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.preparation.image_set import ImageSet
from wbc_model.scoring.predictions import Predictions
from wbc_model.synthetic import folders as drawn_data
from wbc_model.training.predict import predict_known


class Grey(nn.Module):
    """Calls an image by its grey: the class of that number."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot((255 * images[:, 0, 0, 0]).round().long(), 5).float()


def grey(*pairs: tuple[str, int], cells: tuple[str, ...]) -> ImageSet:
    """Images of a cell type each, by the grey."""
    pixels = np.array([np.full((4, 4, 3), value, np.uint8) for _, value in pairs])
    labels = np.array([cells.index(cell) for cell, _ in pairs])
    return ImageSet(pixels, labels, tuple(f"{i}.png" for i in range(len(pairs))), cells)


def asked(images: ImageSet, classes: tuple[str, ...]) -> Predictions:
    return predict_known(Grey(), images, classes=classes, device="cpu")


def test_classes_are_matched_by_name_and_those_a_model_does_not_know_are_left_out():
    four = BCCD.classes
    tested = asked(grey(("basophil", 0), ("monocyte", 0), ("lymphocyte", 1), ("neutrophil", 2), cells=CELLS), four)
    assert tested.ids.tolist() == ["1.png", "2.png", "3.png"]
    assert [four[i] for i in tested.truth] == ["monocyte", "lymphocyte", "neutrophil"]
    assert tested.matrix.counts == ((1, 0, 0, 0), (0, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 0))


def test_a_call_of_a_class_that_the_images_do_not_have_is_an_error():
    tested = asked(grey(("monocyte", 0), ("monocyte", 1), cells=BCCD.classes), CELLS)
    assert tested.matrix.counts[1] == (1, 1, 0, 0, 0)
    assert tested.matrix.accuracy == 0.5


@pytest.fixture(scope="session")
def all_four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("all") / "data"
    drawn_data.write(root, datasets=DATASETS, share=1 / 200, side=40)
    return root


@pytest.fixture
def trial() -> Trial:
    config = TrialConfig(dataset=BCCD).override(QUICK | {"test_on": "all", "epochs": 1})
    return Trial(config, 0, ("E6",), QUICK)


@pytest.mark.slow
def test_a_trial_that_is_tested_on_all_leaves_each_test_and_both_readings_have_them(
    trial: Trial, settings: Settings, all_four: Path
):
    settings = replace(settings, data=all_four)
    check_inputs([trial], settings)
    assert len(list(Path(settings.storage).glob("data/*.csv"))) == 4
    list(run_trial(trial, settings))
    storage = Storage(settings.storage)
    record = storage.trial(trial.id).record()
    assert record
    assert list(record.tests) == ["bccd", "ldwbc", "lisc", "raabin"]
    assert {test.classes for test in record.tests.values()} == {BCCD.classes}
    assert set(record.provenance["data_elsewhere"]) == set(record.elsewhere)
    reading = read_offline(Path(settings.storage))
    assert reading.records == [record]
    for on, test in record.elsewhere.items():
        kept = reading.predictions(trial.id, on)
        assert kept
        assert not [name for name in kept.ids if "#" in name or "baso" in name.lower()]
        assert len(kept.ids) == sum(map(sum, test.counts))
    assert compare([trial], settings).stale == {}
    next((all_four / "LISC Database" / "Main Dataset" / "neut").iterdir()).unlink()
    check_inputs([trial], settings)
    assert compare([trial], settings).stale == {trial.id: "other images of lisc"}


@pytest.mark.slow
def test_each_dataset_it_wants_is_named_before_anything_starts_and_others_want_their_own(
    trial: Trial, settings: Settings
):
    """The folder has LISC alone."""
    with pytest.raises(DataError, match=r"(?s)bccd: wanted .*ldwbc: wanted .*raabin: wanted "):
        check_inputs([trial], settings)
    own = TrialConfig(dataset=LISC).override(QUICK)
    assert check_inputs([Trial(own, 0)], settings) == []
