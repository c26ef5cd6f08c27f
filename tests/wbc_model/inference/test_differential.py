"""Differential counts: what is counted, their intervals, and what is said of them in worlds whose truth is known."""

import re
from pathlib import Path

import numpy as np
import pytest

from wbc_model.choices import CELLS
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import Dataset
from wbc_model.errors import InputError
from wbc_model.inference.calls import Call, Predicted
from wbc_model.inference.differential import REFERENCE, Share, count, count_slides, reference_of, slides_by
from wbc_model.inference.model_info import Calibration, ModelInfo

OWN = Dataset(name="own", classes=("Neutrophils", "blast", "monocyte"))
HEALTHY = dict(zip(CELLS, (0.005, 0.06, 0.03, 0.60, 0.305), strict=True))


def predicted(calls: list[tuple[str, str, bool]], *, dataset: Dataset = OWN, empty: tuple[str, ...] = ()) -> Predicted:
    """From (file, class, sure) of each call, and the pictures that show none."""
    info = ModelInfo(config=TrialConfig(dataset=dataset), seed=0, trial="a-s0", best_epoch=0, validation=1,
                     calibration=Calibration(temperature=1, threshold=0.5), provenance={})  # fmt: skip
    made = [Call(file=f, box=None, cell=c, probabilities=(1.0,), sure=sure) for f, c, sure in calls]
    files = (*dict.fromkeys(file for file, _, _ in calls), *empty)
    return Predicted(info=info, calls=tuple(made), files=files, skipped={})


SMEAR = predicted(
    [("a/1.png", "Neutrophils", True)] * 6 + [("a/2.png", "blast", True)] * 2
    + [("b/1.png", "blast", False), ("b/1.png", "monocyte", True)],
    empty=("b/2.png",),
)  # fmt: skip


def test_unsure_calls_are_counted_apart_and_are_in_no_percentage():
    whole = count(SMEAR)
    assert [share.cells for share in whole.shares] == [6, 2, 1]
    assert [share.unsure for share in whole.shares] == [0, 1, 0]
    assert (whole.unsure, whole.cells, whole.pictures) == (1, 10, 4)
    assert [round(share.percent, 1) for share in whole.shares] == [66.7, 22.2, 11.1]


def test_slides_are_pictures_or_what_a_pattern_matches():
    assert {slide: c.cells for slide, c in count_slides(SMEAR).items()} == {
        "a/1.png": 6, "a/2.png": 2, "b/1.png": 2, "b/2.png": 0,
    }  # fmt: skip
    by_folder = count_slides(SMEAR, slide_of=slides_by("([^/]+)/"))
    assert {slide: (c.cells, c.pictures) for slide, c in by_folder.items()} == {"a": (8, 2), "b": (2, 2)}


@pytest.mark.parametrize(("pattern", "told"), [("(", "no regular expression"), ("a", "exactly one pair"),
                                               ("(q)", "a/1.png names no slide")])  # fmt: skip
def test_a_pattern_that_names_no_slide_is_an_input_error(pattern: str, told: str):
    with pytest.raises(InputError, match=told):
        count_slides(SMEAR, slide_of=slides_by(pattern))


def test_reference_ranges_are_the_papers_where_it_states_one(shared: Path):
    assert reference_of("Neutrophils") == (50, 70)
    assert reference_of("blast") is None
    text = re.sub(r"\s+", " ", (shared / "paper" / "chen2022.txt").read_text())
    assert {cell: re.search(rf"{cell}s \((\d+)–(\d+)%\)", text).groups() for cell in CELLS} == {
        cell: (str(low), str(high)) for cell, (low, high) in REFERENCE.items()
    }


def test_the_table_says_what_is_not_known():
    text = str(count(SMEAR))
    assert re.search(r"^blast +2 +22\.2 +6\.3 to 54\.7 +none stated +1$", text, re.M)
    assert "basophil (reference 0–1 %): not a class of this model" in text
    assert "neutrophil (reference" not in text  # Neutrophils is one
    nothing = str(count(predicted([("a", "blast", False)])))
    assert re.search(r"^blast +0 +– +– +none stated +1$", nothing, re.M)
    assert "1 of 1 calls are unsure: the percentages are of the others" in nothing
    assert "calls are unsure" not in text
    other = Dataset(name="other", classes=("blast", "platelet"))
    assert "not a class" not in str(count(predicted([("a", "blast", True)], dataset=other)))  # it counts other things


def worlds(truth: dict[str, float], *, cells: int, number: int = 2000) -> list[list[Share]]:
    drawn = np.random.default_rng(0).multinomial(cells, list(truth.values()), size=number)
    return [[Share(cell=c, cells=int(n), of=cells) for c, n in zip(truth, row, strict=True)] for row in drawn]


@pytest.mark.parametrize("cells", [100, 400])
def test_intervals_hold_the_truth_as_often_as_they_say(cells: int):
    made = worlds(HEALTHY, cells=cells)
    for i, (cell, share) in enumerate(HEALTHY.items()):
        held = np.mean([low <= 100 * share <= high for low, high in (world[i].interval for world in made)])
        assert held > (0.90 if cell == "basophil" else 0.93), (cell, held)  # of 100 cells, half a basophil is expected


def test_healthy_blood_is_seldom_called_abnormal_and_leukocytosis_is():
    flags = [[share.against for share in world] for world in worlds(HEALTHY, cells=100)]
    assert np.mean([any(world) for world in flags]) < 0.05
    left_shift = dict(zip(CELLS, (0.005, 0.06, 0.03, 0.85, 0.055), strict=True))
    flags = [[share.against for share in world] for world in worlds(left_shift, cells=100)]
    assert np.mean([world[3] == "above" and world[4] == "below" for world in flags]) > 0.9
