import numpy as np
import pytest

from analysis.stats.images import LabelledImages
from analysis.stats.model import Model
from analysis.stats.studies_model import StudiesModel

CLASSES = ("a", "b")


def images(truth: list[int], name: str) -> LabelledImages:
    n = len(truth)
    return LabelledImages(np.array([f"{name}{i}" for i in range(n)]), np.array(truth), CLASSES, np.arange(n))


def test_unpaired_variances_are_binomial_and_add():
    a, b = images([0] * 50 + [1] * 50, "a"), images([0] * 100 + [1] * 100, "b")
    called_a, called_b = a.truth.copy(), b.truth.copy()
    called_a[:10], called_b[:10] = 1, 1
    model = StudiesModel(a, [called_a[None], called_b[None]], ["accuracy"], others=b)
    value, error = model.difference(1, 0, "accuracy")
    assert value == pytest.approx(0.95 - 0.90)
    one_more = 1 / 100**2
    assert error.images == pytest.approx(0.9 * 0.1 / 100 + 0.95 * 0.05 / 200 + one_more + value**2 / 100, rel=1e-3)


def test_unpaired_rows_of_equal_images_vary_more_than_paired_ones():
    a, b = images([0] * 50 + [1] * 50, "a"), images([0] * 50 + [1] * 50, "b")
    first, second = a.truth.copy(), a.truth.copy()
    first[:10], second[:8] = 1, 1
    called = [first[None], second[None]]
    paired = Model(a, called, ["accuracy"]).difference(0, 1, "accuracy")
    unpaired = StudiesModel(a, called, ["accuracy"], others=b).difference(0, 1, "accuracy")
    assert paired[0] == unpaired[0]
    assert paired[1].images == pytest.approx(2 / 100**2 + 1 / 100**2, rel=0.05)
    assert unpaired[1].images > 4 * paired[1].images


A = images([0] * 500 + [1] * 500, "a")


def row(*wrong: int) -> np.ndarray:
    """The calls of seeds that err on so many of the first images."""
    return np.stack([np.where(np.arange(1000) < n, 1, A.truth) for n in wrong])


def test_rows_that_vary_more_than_others_have_their_own_variance_over_seeds():
    model = Model(A, [row(50, 52, 51), row(51, 49, 50), row(51, 50, 49), row(20, 60, 100)], ["accuracy"])
    pooled = (3 * 1.0**2 + 40.0**2) / 4 / 1000**2 * 2 / 3
    assert model.over_seeds(0, 1) == pytest.approx(pooled)
    assert model.over_seeds(0, 3) == model.over_seeds(3, 0) == pytest.approx((1.0**2 + 40.0**2) / 1000**2 / 3)


def test_a_pair_that_varies_more_than_others_has_its_own_variance_over_seeds():
    calm, wild = [row(50, 52, 51), row(51, 49, 50)], [row(50, 90, 130), row(60, 20, 100)]
    model = StudiesModel(A, [calm[0], calm[0], wild[0], calm[1], calm[1], wild[1]], ["accuracy"], others=A)
    own = (40.0**2 * 2 + 40.0**2 * 2) / 4 / 1000**2 * 2 / 3
    assert model.difference(5, 2, "accuracy")[1].seeds == pytest.approx(own)
    assert model.difference(4, 1, "accuracy")[1].seeds < own / 2
    assert model.difference(5, 2, "accuracy")[1].df == 12
