import numpy as np
import pytest
from scipy.stats import binom, permutation_test
from sklearn.metrics import f1_score, precision_score, recall_score

from analysis.stats.paired import (
    LabelledImages,
    interval,
    mcnemar,
    over_seeds,
    randomised,
    resampled,
    share_interval,
)
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
    many = scores(np.stack([images().counts(one).sum(0) for one in calls]), CELLS)
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
    many = scores(part.counts(calls).sum(0), CELLS)
    assert {name: float(many[name]) for name in many} == pytest.approx(alone)


def test_mcnemar_is_the_exact_binomial_of_what_only_one_calls_right():
    a, b = TRUTH.copy(), TRUTH.copy()
    a[:2], b[12:20] = 4, 0  # a errs on two basophils, b on all eight monocytes
    p = mcnemar(images(), a, b)
    assert p["accuracy"] == pytest.approx(2 * binom.cdf(2, 10, 0.5))
    assert p["recall/monocyte"] == pytest.approx(2 * 0.5**8)
    assert p["recall/basophil"] == pytest.approx(0.5)
    assert p["recall/lymphocyte"] == 1.0


@pytest.mark.slow
def test_randomisation_agrees_with_mcnemar_and_with_scipy():
    a, b = called(0.1), called(0.35)
    p = randomised(images(), [a], [b], seed=1)
    assert p["accuracy"] == pytest.approx(mcnemar(images(), a, b)["accuracy"], abs=0.02)

    def difference(one, other, axis):
        return np.apply_along_axis(lambda x: f1_score(TRUTH, x, average="macro", zero_division=0), axis, one) - (
            np.apply_along_axis(lambda x: f1_score(TRUTH, x, average="macro", zero_division=0), axis, other)
        )

    theirs = permutation_test((a, b), difference, permutation_type="samples", vectorized=True, n_resamples=999, rng=1)
    assert p["macro_f1"] == pytest.approx(theirs.pvalue, abs=0.04)


def test_equal_calls_differ_in_nothing():
    a = called(0.2)
    assert set(randomised(images(), [a], [a], seed=0).values()) == {1.0}


def test_copies_of_one_photograph_count_once():
    """Rows that differ on ten images of one photograph differ on one thing."""
    a, b = TRUTH.copy(), TRUTH.copy()
    b[:10] = 4
    alone = randomised(images(), [a], [b], seed=0)["accuracy"]
    grouped = randomised(images(np.where(np.arange(49) < 10, 0, np.arange(49) - 9)), [a], [b], seed=0)["accuracy"]
    assert alone < 0.01
    assert grouped == 1.0


def test_resamples_are_shared_so_that_differences_are_paired():
    a = called(0.2)
    b = a.copy()
    b[TRUTH == 0] = 0
    first, again, other = resampled(images(), a), resampled(images(), a), resampled(images(), b)
    assert np.array_equal(first["macro_f1"], again["macro_f1"])
    paired, unpaired = np.ptp(interval(other["accuracy"] - first["accuracy"])), np.ptp(interval(first["accuracy"]))
    assert paired < unpaired


def test_the_bootstraps_interval_is_about_wilsons():
    a = called(0.3)
    low, high = interval(resampled(images(), a)["accuracy"])
    assert (low, high) == pytest.approx(share_interval(int((a == TRUTH).sum()), 49), abs=0.03)
    assert share_interval(4431, 4529) == pytest.approx((0.9737, 0.9822), abs=5e-5)  # of the paper's 97.84


def test_over_seeds_wants_more_than_one_lucky_seed():
    steady = over_seeds({"x": [0.9, 0.91, 0.9]}, {"x": [0.8, 0.81, 0.81]})["x"]
    lucky = over_seeds({"x": [0.9, 0.7, 0.8]}, {"x": [0.7, 0.75, 0.72]})["x"]
    assert steady < 0.01 < 0.1 < lucky
    assert over_seeds({"x": [0.5, 0.6]}, {"x": [0.5, 0.6]})["x"] == 1.0


def test_every_resample_has_every_class():
    """Of two units in a class of 20 images, half the resamples hold one twice, and none holds neither."""
    units = np.where(TRUTH == 3, 49 + np.arange(49) % 2, np.arange(49))
    grouped = images(np.unique(units, return_inverse=True)[1])
    calls = np.where((TRUTH == 3) & (np.arange(49) % 2 == 0), 0, TRUTH)
    recalls = resampled(grouped, calls)["recall/neutrophil"]
    assert set(np.round(recalls, 2)) == {0.0, 1.0, round(float((calls == TRUTH)[TRUTH == 3].mean()), 2)}
    assert np.mean(recalls == 0) == pytest.approx(0.25, abs=0.04)
