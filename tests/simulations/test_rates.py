"""The rates of docs/analysis.md in short: few tables of few kinds, so that only gross errors are found."""

import re

import pytest

from analysis.stats import chance
from search_spaces.paper import TABLES
from tests.simulations import rates
from tests.simulations.two_studies import compare as two_studies


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    monkeypatch.setattr(chance, "DRAWS", 500)


def shares(lines: rates.Lines) -> list[float]:
    """The percentages in some lines."""
    return [float(number) for line in lines for number in re.findall(r"([\d.]+) %", line)]


@pytest.mark.slow
def test_equal_rows_are_rarely_called_worse_and_never_by_one_seed():
    any_cell, oa = shares(rates.false_calls(30, (8,), (3,), (0.35,)))
    assert oa <= any_cell <= 10
    assert shares(rates.false_calls(3, (2,), (1,), (0.62,))) == [0, 0]


@pytest.mark.slow
def test_rows_that_vary_twice_as_much_and_rows_on_several_datasets_are_rarely_called_worse():
    two, one_of_eight, four_of_eight = shares(rates.uneven(40, (2,), (3,)))[::2]
    assert max(two, one_of_eight, four_of_eight) <= 15
    assert max(shares(rates.several_datasets(20, seeds=(3,)))) <= 15


@pytest.mark.slow
def test_a_row_four_seed_sds_behind_is_found_with_three_seeds():
    any_cell, oa = shares(rates.power(15, (8,), (3,), (0.35,)))
    assert any_cell >= oa >= 80


@pytest.mark.slow
def test_the_minimum_detectable_difference_is_found_in_most_tables():
    _, oa = shares(rates.noted_power(150, rows=2))
    assert 70 <= oa <= 90


@pytest.mark.slow
def test_more_seeds_show_more_cells_to_be_worse_and_more_to_agree_with_the_article():
    counts = [dict(re.findall(r"(worse|agrees) (\d+)", line)) for line in rates.article(1, (2, 5))]
    few, many = ({name: int(n) for name, n in one.items()} for one in counts)
    assert many["worse"] > few["worse"] > 0
    assert many.get("agrees", 0) > few.get("agrees", 0)


@pytest.mark.slow
def test_an_exact_reproduction_rarely_differs_from_the_article():
    assert rates.PARTS["reproduced"] is rates.reproduced
    for line in rates.reproduced(1, seeds=(1, 2)):
        told = dict(re.findall(r"([a-z]+) ([\d.]+) %", line))
        assert sum(float(told.get(name, 0)) for name in ("differs", "contradicts")) <= 10
        assert float(told["imprecise"]) > 50


@pytest.mark.slow
def test_one_comparison_of_many_seeds_is_rarely_significant_by_chance():
    for often in shares(rates.images_as_a_sample(100))[1::2]:
        assert often <= 10


def test_of_seven_of_seven_images_the_interval_is_wilsons():
    (line,) = rates.all_right(1)
    assert line.endswith("[64.57, 100.00]")


@pytest.mark.slow
def test_equal_studies_rarely_differ_and_a_worse_one_does():
    some = TABLES[3:6]
    equal = [two_studies(some, seeds=3, world=i, sd=0.35) for i in range(20)]
    assert sum(any(one.verdict == "differ" for one in study) for study in equal) <= 3
    assert sum(one.error.p(one.value) < 0.05 for study in equal for one in study) <= 0.05 * sum(map(len, equal))
    worse = two_studies(some, seeds=3, world=0, sd=0.35, worse=4)
    assert sum(one.verdict == "differ" and one.value < 0 for one in worse) > len(worse) / 2
    apart = two_studies(some, seeds=3, world=0, sd=0.35, apart=True)
    assert not any(one.paired or one.verdict == "differ" for one in apart)
    assert {one.verdict for one in two_studies(some, seeds=1, world=0, sd=0.62)} <= {
        "not shown to differ", "networks differ"
    }  # fmt: skip
