"""Calls for new pictures: the same as at the end of training for the same files, calibrated, and sure or not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wbc_model.choices import Augmentation, ImageSource, Stain
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.find import place_of
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.errors import InputError
from wbc_model.inference.calls import choose_device, predict
from wbc_model.inference.places import load
from wbc_model.preparation.cache import prepare
from wbc_model.training.predict import predict_known

Keep = Callable[..., Path]
CROPS = {
    "mask": LISC,
    "segment": replace(LISC, name="found", crop="segment", mask=""),
    "none": replace(LISC, name="whole", crop="none", mask=""),
}


@pytest.mark.parametrize(
    ("dataset", "stain"),
    [
        pytest.param(CROPS["mask"], Stain.NONE, id="mask"),
        pytest.param(CROPS["mask"], Stain.MACENKO, id="mask, stains normalised"),
        pytest.param(CROPS["segment"], Stain.NONE, id="segment", marks=pytest.mark.slow),
        pytest.param(CROPS["none"], Stain.NONE, id="none"),
    ],
)
def test_test_images_get_the_probabilities_that_the_trial_wrote(
    dataset: Dataset, stain: Stain, drawn: Path, tiny: TrialConfig, keep: Keep, tmp_path: Path
):
    config = replace(tiny, dataset=dataset, images=ImageSource.DRAWN, augmentation=Augmentation.NONE, stain=stain)
    test = prepare(config.data, data=drawn, cache=tmp_path, workers=1).sets["test"]
    model = load(keep(config, temperature=2.0))
    written = predict_known(model.network, test, classes=dataset.classes).probabilities
    calls = predict(model, [place_of(dataset, drawn) / name for name in test.ids]).calls
    softened = np.sqrt(written)  # a temperature of 2
    np.testing.assert_allclose([c.probabilities for c in calls], softened / softened.sum(1, keepdims=True), atol=1e-6)
    assert [call.cell for call in calls] == [dataset.classes[i] for i in written.argmax(1)]
    assert all((call.box is None) == (dataset.crop == "none") for call in calls)


def test_a_picture_without_a_mask_is_cropped_by_segmentation(keep: Keep, cells: Path, tiny: TrialConfig):
    by_mask = predict(load(keep(replace(tiny, dataset=LISC))), cells)
    found = predict(load(keep(replace(tiny, dataset=CROPS["segment"]))), cells)
    assert [call.box for call in by_mask.calls] == [call.box for call in found.calls]
    assert len(by_mask.calls) == 6


def test_a_call_below_the_threshold_is_not_sure(keep: Keep, cells: Path):
    calls = predict(load(keep()), cells).calls
    middle = sorted(call.probability for call in calls)[3]
    again = predict(load(keep(threshold=middle)), cells).calls
    assert [call.sure for call in again] == [call.probability >= middle for call in calls]
    assert 0 < sum(call.sure for call in again) < 6


def test_every_cell_of_a_photograph_is_found_and_called_in_its_own_place(keep: Keep, field: Path):
    left, right = sorted(predict(load(keep()), field, photographs=True).calls, key=lambda call: call.box)
    assert left.box[0] < 240 < left.box[2] <= 480 <= right.box[0] < 720 < right.box[2]
    wide = predict(load(keep()), field, photographs=True, margin=0.1).calls
    assert all(a.box[2] - a.box[0] > left.box[2] - left.box[0] for a in wide[:1])


def test_batches_and_order_do_not_matter(keep: Keep, cells: Path, monkeypatch: pytest.MonkeyPatch):
    model, files = load(keep()), sorted(cells.iterdir())
    whole = predict(model, files).calls
    monkeypatch.setattr("wbc_model.inference.calls.BATCH", {"cpu": 2})
    backwards = predict(model, files[::-1]).calls
    for a, b in zip(whole, backwards[::-1], strict=True):
        assert (a.file, a.box, a.cell) == (b.file, b.box, b.cell)
        np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-6)


def test_damaged_pictures_are_named_and_skipped(keep: Keep, cells: Path, tmp_path: Path):
    (tmp_path / "broken.png").write_bytes((cells / "slide0_0.png").read_bytes()[:300])
    (tmp_path / "empty.jpg").touch()
    predicted = predict(load(keep()), [cells, tmp_path])
    assert len(predicted.calls) == len(predicted.files) == 6
    assert list(predicted.skipped) == [str(tmp_path / "broken.png"), str(tmp_path / "empty.jpg")]
    assert all("cannot be decoded" in why for why in predicted.skipped.values())


def test_a_device_that_is_not_there_is_an_input_error():
    assert choose_device("cpu") == "cpu"
    with pytest.raises(InputError, match="wanted cpu"):
        choose_device("tpu9")
    with pytest.raises(InputError, match="finds no such device"):
        choose_device("mps")
