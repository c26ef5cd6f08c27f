import pytest
from statsmodels.stats.proportion import proportion_confint

from wbc_model.scoring.wilson import wilson


@pytest.mark.parametrize(("hits", "of"), [(0, 7), (7, 7), (3, 7), (450, 470)])
def test_the_interval_is_that_of_another_library(hits: int, of: int):
    assert wilson(hits, of) == pytest.approx(proportion_confint(hits, of, method="wilson"), abs=1e-12)


def test_of_nothing_every_share_is_possible():
    assert wilson(0, 0) == (0, 1)
