"""Temperature and threshold, in worlds where the true probabilities are known."""

import numpy as np
import pytest
from scipy.special import softmax

from wbc_model.inference.calibration import (
    LEAST,
    TARGET,
    apply_temperature,
    calibrate,
    calibration_error,
    choose_threshold,
    fit_temperature,
)


def world(n: int, *, seed: int, temperature: float, spread: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """What a model says whose logits are `temperature` times too large, and classes drawn with the true probability."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (n, 5))
    truth = (softmax(logits, axis=1).cumsum(1) > rng.random((n, 1))).argmax(1)
    return softmax(temperature * logits, axis=1).astype(np.float32), truth


@pytest.mark.parametrize("temperature", [0.3, 1, 3])
def test_a_model_that_is_too_sure_or_too_unsure_is_corrected(temperature: float):
    found = calibrate(*world(2000, seed=0, temperature=temperature))
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    probabilities, truth = world(20_000, seed=1, temperature=temperature)
    calibrated = apply_temperature(probabilities, found.temperature)
    assert np.array_equal(calibrated.argmax(1), probabilities.argmax(1))
    assert calibration_error(calibrated, truth) < 0.015
    sure = calibrated.max(1) >= found.threshold
    assert (calibrated.argmax(1) == truth)[sure].mean() == pytest.approx(TARGET, abs=0.007)
    assert found.unsure == pytest.approx(1 - sure.mean(), abs=0.05)
    if temperature != 1:
        assert (found.error_before or 0) > 5 * (found.error_after or 1)


@pytest.mark.parametrize(("n", "least", "most"), [(3, 0.6, 0.95), (300, 0.98, 1), (5000, 0.999, 1)])
def test_of_few_or_perfect_images_the_temperature_is_finite_and_the_threshold_the_least(
    n: int, least: float, most: float
):
    found = calibrate(np.tile([[0.5, 0.3, 0.2]], (n, 1)), np.zeros(n, int))
    assert least < apply_temperature(np.array([[0.5, 0.3, 0.2]]), found.temperature)[0, 0] < most
    assert (found.threshold, found.unsure) == (LEAST, 0)


def test_probabilities_of_exactly_0_and_1_are_taken():
    certain = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    assert fit_temperature(certain, np.array([0, 1, 2, 0])) == pytest.approx(1)
    assert fit_temperature(certain, np.array([0, 1, 2, 1])) > 10


def test_the_threshold_is_the_lowest_whose_sure_calls_are_right_often_enough():
    sureness = np.linspace(0.4, 0.999, 600)
    calls, truth = np.stack([sureness, (1 - sureness) / 2, (1 - sureness) / 2], 1), np.zeros(600, int)
    assert choose_threshold(calls, truth) == LEAST, "a call below it is not sure, right or not"
    truth[300] = 1
    assert choose_threshold(calls, truth) == LEAST, "one wrong call of 500"
    truth[290:300] = 1
    assert choose_threshold(calls, truth) == pytest.approx(sureness[298]), "above it, 3 of 302 are wrong"


def test_where_even_the_surest_calls_are_wrong_few_are_sure():
    calls = np.stack([np.linspace(0.6, 0.95, 50), 1 - np.linspace(0.6, 0.95, 50)], 1)
    assert choose_threshold(calls, np.ones(50, int)) == TARGET


def test_the_calibration_error_of_calls_that_can_be_counted_by_hand():
    calls = np.array([[0.9, 0.1]] * 10 + [[0.7, 0.3]] * 10)
    truth = np.array([0] * 8 + [1] * 2 + [0] * 9 + [1])
    assert calibration_error(calls, truth) == pytest.approx((0.1 + 0.2) / 2), "too sure, and not sure enough"
