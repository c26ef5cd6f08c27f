import numpy as np
import pytest

from analysis.stats.laboratory import CELLS, PREVALENCE, agreement, brier, detection, kappa, prevalence_of, slides
from wbc_model.choices import CELLS as CLASSES
from wbc_model.inference.calibration import calibration_error

CONFUSED = np.array([[8, 2, 0], [1, 9, 0], [0, 5, 5]])
SHARES = np.array([0.1, 0.3, 0.6])


def test_kappa_is_cohens():
    # Agreement 35 of 50; by chance (25 * 30 + 25 * 20) / 50^2 = 0.5.
    assert kappa(np.array([[20, 5], [10, 15]])) == pytest.approx((0.7 - 0.5) / 0.5)
    assert kappa(np.eye(3)) == 1
    assert kappa(np.ones((4, 4))) == pytest.approx(0)
    assert kappa(np.array([[5, 0], [0, 0]])) == 1


def test_brier_sums_the_squared_errors_of_all_classes():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    assert brier(probabilities, np.array([0, 2])) == pytest.approx((0.09 + 0.04 + 0.01 + 1 + 1) / 2)
    assert brier(np.eye(3), np.arange(3)) == 0


def test_a_calibrated_model_has_an_ece_within_chance_and_the_brier_score_of_its_probabilities():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([4, 1, 1], size=20_000)
    truth = (rng.random((20_000, 1)) > probabilities.cumsum(1)).sum(1)
    chance = [calibration_error(probabilities, (rng.random((20_000, 1)) > probabilities.cumsum(1)).sum(1))
              for _ in range(50)]  # fmt: skip
    assert min(chance) / 2 < calibration_error(probabilities, truth) < 2 * max(chance) < 0.03
    expected = 1 - (probabilities**2).sum(1).mean()
    assert brier(probabilities, truth) == pytest.approx(expected, abs=0.01)
    sharper = probabilities**2 / (probabilities**2).sum(1, keepdims=True)
    assert calibration_error(sharper, truth) > 5 * max(chance)
    assert brier(sharper, truth) > brier(probabilities, truth)


def test_the_assumed_shares_sum_to_1_over_any_classes():
    assert sum(PREVALENCE.values()) == pytest.approx(1)
    assert set(PREVALENCE) == set(CLASSES)
    assert prevalence_of(("neutrophil", "", "eosinophil")) == pytest.approx([58.5 / 61.5, 0, 3 / 61.5])


def test_slides_have_the_bias_and_scatter_that_the_confusion_matrix_implies():
    found = agreement(slides(CONFUSED, SHARES, n=40_000, seed=1))
    rates = CONFUSED / 10
    assert found.bias == pytest.approx(100 * (SHARES @ rates - SHARES), abs=0.1)
    joint = SHARES[:, None] * rates  # of one cell's true and called class
    wrong = joint.sum(0) + joint.sum(1) - 2 * np.diag(joint)  # called or true, not both
    variance = (wrong - (joint.sum(0) - joint.sum(1)) ** 2) / CELLS
    assert found.sd == pytest.approx(100 * np.sqrt(variance), rel=0.02)
    low, high = found.limits
    assert high - low == pytest.approx(2 * 1.96 * found.sd)
    assert (low + high) / 2 == pytest.approx(found.bias)


def test_a_perfect_model_agrees_on_every_slide_and_a_seed_gives_the_same_slides():
    assert not slides(7 * np.eye(3), SHARES, n=50, seed=0).any()
    one, again, other = (slides(CONFUSED, SHARES, n=50, seed=seed) for seed in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).any()
    assert one.sum(1) == pytest.approx(0)


def test_the_area_under_the_roc_curve_is_the_chance_that_an_image_of_the_class_has_the_higher_probability():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=60)
    scores = rng.integers(4, size=(60, 3)) + (truth[:, None] == np.arange(3))  # many are equal
    found = detection(scores / 5, truth, 1)
    mine, others = scores[truth == 1, 1], scores[truth != 1, 1]
    chance = np.mean([(a > b) + 0.5 * (a == b) for a in mine for b in others])
    assert found is not None
    assert 0.5 < chance < 0.95
    assert found.area == pytest.approx(chance)


def test_average_precision_is_the_mean_precision_at_the_images_of_the_class():
    probabilities = np.array([[0.9], [0.8], [0.7], [0.6]])
    found = detection(probabilities, np.array([0, 1, 0, 1]), 0)
    assert found is not None
    assert found.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert found.area == pytest.approx(3 / 4)


def test_images_of_one_kind_alone_give_no_curve():
    assert detection(np.eye(3), np.zeros(3, int), 0) is None
    assert detection(np.eye(3), np.zeros(3, int), 1) is None
