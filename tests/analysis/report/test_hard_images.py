import numpy as np

from analysis.report.hard_images import Page, hard_images
from analysis.report.templates import TEMPLATES
from wbc_model.scoring.predictions import Predictions

CLASSES = ("a", "b", "c")


def predicted(ids: str, truth: list[int], called: list[int], *, sure: float = 0.8) -> Predictions:
    probabilities = np.where(np.arange(3) == np.array(called)[:, None], sure, (1 - sure) / 2)
    return Predictions(classes=CLASSES, ids=np.array(list(ids)), truth=np.array(truth), probabilities=probabilities)


def test_an_image_is_hard_if_more_than_half_of_the_trials_that_saw_it_are_wrong():
    tested = [
        ("x", predicted("pqrs", [0, 0, 1, 2], [0, 1, 2, 0])),
        ("x", predicted("pqrs", [0, 0, 1, 2], [1, 1, 2, 0])),  # half are wrong about p
        ("y", predicted("srqp", [2, 1, 0, 0], [2, 0, 2, 0])),  # the same images in another order
        ("z", predicted("pq", [0, 0], [1, 0])),  # of another split: it was tested on fewer
    ]
    found = hard_images(tested)
    assert [(image.name, image.cell, image.wrong, len(image.calls)) for image in found] == [
        ("r", "b", 3, 3),
        ("q", "a", 3, 4),
        ("s", "c", 2, 3),
    ]
    assert found[0].shares == [("c", 2), ("a", 1)]
    assert found[0].rows == {"x": ["c", "c"], "y": ["a"]}


def test_what_one_trial_alone_gets_wrong_is_not_hard():
    assert hard_images([("x", predicted("p", [0], [1]))]) == []


def test_of_images_that_as_many_get_wrong_the_least_probable_come_first():
    surer = predicted("q", [0], [1], sure=0.9)
    tested = [("x", predicted("p", [0], [1])), ("y", predicted("p", [0], [2])), ("x", surer), ("y", surer)]
    assert [image.name for image in hard_images(tested)] == ["q", "p"]


def test_one_image_is_not_said_to_be_several():
    hard = {"title": "LISC", "images": [], "found": 1, "trials": 1, "pictures": {}, "without": "", "rehearsal": ""}
    page = TEMPLATES.get_template("hard.html").render(hard)
    assert "1 test image is wrong in more than half of the trials" in page
    assert "(1 trial on this dataset)" in page
    assert Page("LISC", "dataset-lisc.html", 1).told == "1 image of LISC"
    assert Page("LISC", "dataset-lisc.html", 2).told == "2 images of LISC"
