from math import inf

import pytest
from scipy.stats import norm, t
from statsmodels.stats.proportion import proportion_confint

from analysis.stats.error import Error


def test_with_one_source_the_error_is_normal_or_students():
    assert Error(images=4.0, seeds=0.0, df=inf).p(3.0) == pytest.approx(2 * norm.sf(1.5))
    assert Error(images=0.0, seeds=4.0, df=6).p(3.0) == pytest.approx(2 * t.sf(1.5, 6), rel=1e-3)
    assert Error(images=0.0, seeds=4.0, df=6).reach == pytest.approx(2 * t.isf(0.025, 6), rel=1e-3)


def test_both_sources_add_and_few_seeds_count_less():
    both = Error(images=1.0, seeds=1.0, df=4)
    assert both.sd == pytest.approx(2**0.5)
    assert norm.isf(0.025) * both.sd < both.reach < t.isf(0.025, 4) * both.sd
    assert both.p(both.reach) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(("hits", "images"), [(7, 7), (6, 7), (4431, 4529), (0, 3)])
def test_over_images_the_interval_of_a_share_is_wilsons(hits, images):
    share = hits / images
    found = Error(images=share * (1 - share) / images, seeds=0.0, df=inf).interval(share, weight=images)
    assert found == pytest.approx(proportion_confint(hits, images, method="wilson"), abs=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.003, 0.5, 0.98, 1.0])
def test_an_interval_stays_within_0_and_1_and_is_never_empty(share):
    for error in (Error(images=0.01, seeds=0.02, df=1), Error(images=0.0, seeds=0.0, df=2)):
        low, high = error.interval(share, weight=7)
        assert 0 <= low < high <= 1
        assert low <= share <= high
