import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from analysis.stats.images import LabelledImages
from wbc_model.choices import CELLS
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.scoring.scores import scores

RNG = np.random.default_rng(0)
TRUTH = np.repeat(np.arange(5), (12, 8, 11, 7, 11))


def called(share: float) -> np.ndarray:
    wrong = RNG.random(len(TRUTH)) < share
    return np.where(wrong, RNG.integers(0, 5, len(TRUTH)), TRUTH)


def images(units: np.ndarray | None = None) -> LabelledImages:
    ids = np.arange(len(TRUTH))
    return LabelledImages(ids.astype(str), TRUTH, CELLS, ids if units is None else units)


def test_many_matrices_at_once_score_as_each_alone_and_as_scikit_learn():
    calls = [called(0.3) for _ in range(20)] + [np.zeros_like(TRUTH)]
    many = scores(np.stack([images().matrices(one) for one in calls]), CELLS)
    for i, one in enumerate(calls):
        alone = ConfusionMatrix.from_predictions(CELLS, truth=TRUTH, predicted=one).scores()
        assert {name: values[i] for name, values in many.items()} == pytest.approx(alone)
        for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
            assert many[f"macro_{name}"][i] == pytest.approx(score(TRUTH, one, average="macro", zero_division=0))


def test_a_class_without_images_is_in_no_macro_mean():
    some = TRUTH != 0
    part = LabelledImages(np.arange(some.sum()).astype(str), TRUTH[some], CELLS, np.arange(some.sum()))
    calls = called(0.3)[some]
    alone = ConfusionMatrix.from_predictions(CELLS, truth=TRUTH[some], predicted=calls).scores()
    many = scores(part.matrices(calls), CELLS)
    assert {name: float(many[name]) for name in many} == pytest.approx(alone)


def bootstrap_sd(called_a: np.ndarray, name: str) -> float:
    """The standard error of a score, from 4,000 resamples of the images."""
    drawn = np.random.default_rng(0).integers(0, len(TRUTH), (4000, len(TRUTH)))
    counts = np.array([np.bincount(TRUTH[one] * 5 + called_a[one], minlength=25) for one in drawn])
    return float(scores(counts, CELLS)[name].std())


@pytest.mark.parametrize("name", ["accuracy", "macro_precision", "macro_recall", "macro_f1", "recall/eosinophil"])
def test_influences_give_the_standard_error_that_a_bootstrap_gives(name):
    a = np.random.default_rng(3).permutation(TRUTH)
    a = np.where(np.random.default_rng(1).random(len(TRUTH)) < 0.6, TRUTH, a)
    sd = float((images().influences(a, [name])[0] ** 2).sum() ** 0.5)
    assert sd == pytest.approx(bootstrap_sd(a, name), rel=0.12)


def test_the_standard_error_of_a_share_is_the_binomial_one():
    a = called(0.3)
    share = float((a == TRUTH).mean())
    assert (images().influences(a, ["accuracy"])[0] ** 2).sum() == pytest.approx(share * (1 - share) / 49)


def test_copies_of_one_photograph_count_once():
    """Ten copies that are called alike have the effect of one image that weighs ten times as much."""
    a = np.where(np.arange(49) < 10, 4, TRUTH)
    grouped = images(np.where(np.arange(49) < 10, 0, np.arange(49) - 9))
    assert grouped.weight("accuracy") == 40
    alone, together = (float((of.influences(a, ["accuracy"])[0] ** 2).sum()) for of in (images(), grouped))
    assert together > 5 * alone
    assert grouped.influences(a, ["accuracy"]).shape == (1, 40)


def test_a_macro_score_weighs_as_a_mean_of_recalls_does():
    """Of k classes of n units: the mean recall varies as a share of k n units."""
    even = LabelledImages(np.arange(50).astype(str), np.repeat(np.arange(5), 10), CELLS, np.arange(50))
    assert even.weight("macro_recall") == pytest.approx(50)
    assert images().weight("recall/basophil") == 12
    assert not LabelledImages(np.arange(4).astype(str), np.ones(4, int), CELLS, np.arange(4)).has("recall/basophil")
