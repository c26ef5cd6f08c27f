import numpy as np
import pytest
from scipy.stats import binomtest

from analysis.stats.power import detectable, smallest_significant


@pytest.mark.parametrize(("images", "disagreement"), [(500, 0.1), (4529, 0.02)])
def test_a_detectable_difference_is_found_four_times_in_five(images, disagreement):
    x = detectable(images, disagreement=disagreement)
    wins, losses, _ = (
        np.random.default_rng(0)
        .multinomial(images, [(disagreement + x) / 2, (disagreement - x) / 2, 1 - disagreement], size=1000)
        .T
    )
    found = [binomtest(w, w + losing).pvalue < 0.05 for w, losing in zip(wins, losses, strict=True)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def test_more_images_show_smaller_differences():
    assert detectable(49, disagreement=0.1) > detectable(2465, disagreement=0.1) > detectable(9000, disagreement=0.1)
    assert detectable(3, disagreement=0.1) == 1.0


def test_six_disagreements_all_on_one_side_are_the_fewest_that_are_significant():
    assert smallest_significant(49, disagreements=5) is None
    assert smallest_significant(49, disagreements=6) == 6 / 49
    assert smallest_significant(100, disagreements=0) is None
    wins, losses = 60, 40
    assert smallest_significant(1000, disagreements=100) == (61 - 39) / 1000
    assert binomtest(wins, wins + losses).pvalue > 0.05
