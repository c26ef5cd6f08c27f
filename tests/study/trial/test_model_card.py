"""What a model card says, of records with numbers that can be checked by hand."""

from dataclasses import replace

import pytest

from study.plan import RunRecord, Trial
from study.trial.model_card import model_card
from wbc_model.choices import Init
from wbc_model.config import TrialConfig
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.dataset import Dataset
from wbc_model.inference.model_info import Calibration
from wbc_model.models import Baseline
from wbc_model.preparation.manifest import Entry
from wbc_model.scoring.metrics import ConfusionMatrix

MADE = {
    "data": "abc",
    "git": "9e9cce6",
    "code": "c0de",
    "versions": {"torch": "2.0"},
    "device": "H100",
    "weights": {"resnet50": {"origin": "hub timm/resnet50.tv_in1k at 123", "sha256": "5" * 64}},
}
HALF = Calibration(temperature=2, threshold=0.8, error_before=0.05, error_after=0.01, unsure=0.125)


def card(
    config: TrialConfig, *, calibration: Calibration = HALF, manifest: tuple[Entry, ...] = (), made=MADE, **others
) -> str:
    n = len(config.dataset.classes)
    matrix = ConfusionMatrix(
        config.dataset.classes, tuple(tuple(90 if i == j else 5 * (j == 0) for j in range(n)) for i in range(n))
    )
    record = RunRecord(trial=Trial(config, 3, ("4",)), best_epoch=6, validation=matrix, test=matrix, curves=[],
                       seconds=3661, provenance=made)  # fmt: skip
    return model_card(record, calibration, manifest=manifest, others=others)


def test_a_card_says_what_was_done_about_stains():
    assert "stain" not in card(TrialConfig()).partition("## Images")[2].partition("##")[0]
    told = card(TrialConfig(stain="macenko"))
    assert "pixels, RGB. Its stains are normalised, by a method made for haematoxylin and eosin" in told


def test_a_card_says_what_the_model_is_how_good_and_what_it_is_not_for():
    told = card(TrialConfig(mixup_alpha=0.4), LISC=(ConfusionMatrix(("a", "b"), ((9, 1), (0, 10))), "test set"))
    assert told.startswith("# mixup\\_alpha=0.4, seed 3\n\nIt tells basophil, monocyte, eosinophil")
    assert "Rehearsal" not in told
    for section in ("Not for", "Images", "Scores on its test images", "Scores on other images", "How sure it is",
                    "Licence", "How it was made"):  # fmt: skip
        assert f"\n\n## {section}\n\n" in told
    assert "do not diagnose or treat anyone by it" in told
    assert "Accuracy 95.7 (93.5 to 97.2)" in told, "450 of 470, Wilson"
    assert "| basophil | 90 | 100.0 (95.9 to 100.0) | 81.8 (73.6 to 87.9) | 90.0 |" in told
    assert "epoch 7 of 100, the best by validation images (accuracy 95.7 %)" in told
    assert "| LISC | 20 | 95.0 (76.4 to 99.1) | 95.0 | test set |" in told
    assert "was 5.0 % before and is 1.0 % with it" in told
    assert 'A call below a probability of 0.800 is "unsure". It is the lowest, from 0.5,' in told
    assert "12.5 % of the validation images are unsure" in told
    assert "Images: as stated on the authors' page." in told
    assert "Pre-trained weights of resnet50 (hub timm/resnet50.tv\\_in1k at 123): BSD-3-Clause (torchvision)" in told
    assert "\n    study/run.py --tables 4 --seeds 3\n" in told
    assert '| difference from the paper\'s proposed model | {"mixup\\_alpha": 0.4} |' in told
    assert "| duration | 1:01:01 |" in told


def test_where_no_threshold_was_found_the_card_says_so():
    assert "No threshold was found at which 99% of the sure calls" in card(
        TrialConfig(), calibration=replace(HALF, threshold=0.99)
    )


def test_images_that_are_copies_are_told_and_counted_without_those_of_the_augmentation():
    manifest = tuple(Entry(f"{i}", "monocyte", "train", 3, "", "") for i in range(7))
    told = card(TrialConfig(dataset=BCCD), manifest=(*manifest, Entry("x", "monocyte", "", 0, "", "damaged")))
    assert "copies of fewer photographs, so the intervals are too narrow" in told
    assert "| train | 7 | 0 | 0 | 0 | 7 |" in told
    assert "Files left out: 1." in told


@pytest.mark.parametrize("init", ["imagenet", "random"])
def test_the_licence_of_a_model_of_timm_is_what_timm_says(init: str):
    config = TrialConfig(model=Baseline("timm:vit_small_patch14_dinov2.lvd142m", Init(init)))
    record = replace(TrialConfig(), model=config.model)
    weights = (
        {"timm:vit_small_patch14_dinov2.lvd142m": {"origin": "hub timm/x", "sha256": ""}} if init == "imagenet" else {}
    )
    MADE_BY_TIMM = MADE | {"weights": weights}
    matrix = ConfusionMatrix(config.dataset.classes, tuple(tuple(int(i == j) for j in range(5)) for i in range(5)))
    told = model_card(
        RunRecord(trial=Trial(record, 0), best_epoch=0, validation=matrix, test=matrix, curves=[], seconds=1,
                  provenance=MADE_BY_TIMM),
        HALF, manifest=(), others={},
    )  # fmt: skip
    assert ("(hub timm/x): apache-2.0." in told) == (init == "imagenet")


def test_of_weights_from_a_file_no_licence_is_claimed():
    other = {"resnet50": {"origin": "file mine.pth, not torchvision's", "sha256": ""}}
    told = card(TrialConfig(), made=MADE | {"weights": other})
    assert "(file mine.pth, not torchvision's): as its source states, which is not known here." in told
    theirs = {"resnet50": {"origin": "torchvision V1, file a.pth", "sha256": ""}}
    assert "BSD-3-Clause" in card(TrialConfig(), made=MADE | {"weights": theirs})


def test_what_a_declaration_says_cannot_break_the_card():
    own = Dataset(
        name="own", label="Ward | 2", classes=("a|b", "<img src=x>"), source="https://x\n# heading", terms="*"
    )
    told = card(TrialConfig(dataset=own))
    assert "Ward \\| 2, from https://x\\\\u000a\\# heading." in told
    assert "<img" not in told.replace("\\<img", "")
    assert "| a\\|b | 90 |" in told
