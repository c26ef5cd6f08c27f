import numpy as np
import pytest

from analysis.stats.chance import Chance
from analysis.stats.compare import Block
from analysis.stats.images import LabelledImages
from analysis.stats.model import Model
from analysis.stats.power import Limits, WorseRow
from wbc_model.datasets.ldwbc import DATASET as LDWBC

CELLS = LDWBC.classes
TRUTH = np.repeat(np.arange(len(CELLS)), 40)
IMAGES = LabelledImages(TRUTH.astype(str), TRUTH, CELLS, np.arange(len(TRUTH)))


def row(*wrong: int, last: tuple[int, ...] | None = None) -> np.ndarray:
    """Predicted classes (seeds, N) of seeds that err on so many of the first images, and of the last ones."""
    called = np.tile(TRUTH, (len(wrong), 1))
    for one, n, m in zip(called, wrong, last or (0,) * len(wrong), strict=True):
        one[:n], one[len(one) - m :] = 1, 1
    return called


def model(*rows: np.ndarray) -> Model:
    return Model(IMAGES, rows, ["accuracy"])


def test_drawn_rows_vary_over_seeds_as_their_own_seeds_did_and_with_one_seed_as_rows_do():
    here = model(row(10, 20, 30), row(19, 20, 21), row(20))
    assert here.relative_scatter == pytest.approx([200 / 101, 2 / 101, 0])
    wild, tame, single = Chance(here, [[0, 1, 2]], seed=0).uneven.mean(0)
    assert wild == pytest.approx((4 + 2 * 200 / 101) / 6, rel=0.05)
    assert tame == pytest.approx((4 + 2 * 2 / 101) / 6, rel=0.05)
    assert single == pytest.approx(1, rel=0.05)


def test_with_one_seed_scores_that_err_more_than_oa_are_assumed_to_vary_more():
    here = Model(IMAGES, [row(20), row(20)], ["accuracy", f"recall/{CELLS[0]}", f"recall/{CELLS[-1]}"])
    assert here.scatter == pytest.approx(np.diag([0.005, 0.005 * 5, 0.005]) ** 2)


def test_test_sets_of_a_table_are_drawn_independently():
    one, other = (Block(tuple("abc"), model(*map(row, (5, 6, 7))), 0, seed=n).chance(fixed=True) for n in (0, 1))
    between = np.corrcoef(one.deviates(0, 1)[:, 0], other.deviates(0, 1)[:, 0])[0, 1]
    assert abs(between) < 0.05


def test_what_a_row_has_shown_no_longer_counts_for_its_other_columns():
    draws = np.arange(1000.0)
    of_row = [np.stack([draws, draws / 2], axis=-1), np.stack([draws / 3, draws / 4], axis=-1)]
    limits = Limits(of_row, [np.stack([draws / 10, draws / 20], axis=-1)])
    shown = np.array([[False, False], [True, False], [True, True], [False, True]])
    assert limits.after(shown) == pytest.approx([950, 475, 95, 950])


def test_a_row_that_is_worse_in_all_columns_is_detected_from_smaller_differences():
    rows = [row(10, 12, 14, last=(9, 9, 13)), row(11, 9, 12, last=(10, 12, 10))]
    here = Model(IMAGES, rows, [f"recall/{CELLS[0]}", f"recall/{CELLS[-1]}"])
    chance = Chance(here, [[0, 1]], seed=0)
    limits = Limits([chance.deviates(0, 1)], [])
    together = WorseRow(chance, 0, [0, 1], limits).detectable()
    by_itself = WorseRow(chance, 0, [0, 1], SingleStep([chance.deviates(0, 1)], [])).detectable()
    assert np.all(together < 0.97 * by_itself)


class SingleStep(Limits):
    """Without step-down."""

    def after(self, shown: np.ndarray) -> np.ndarray:
        return super().after(np.zeros_like(shown))
