"""The rates of docs/analysis.md in short: few tables of few kinds, so that only gross errors are found."""

import re

import pytest

from analysis.stats import chance, compare
from tests.simulations import rates


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    monkeypatch.setattr(chance, "DRAWS", 500)
    monkeypatch.setattr(compare, "DRAWS", 500)


def shares(lines: rates.Lines) -> list[float]:
    """The percentages in some lines."""
    return [float(number) for line in lines for number in re.findall(r"([\d.]+) %", line)]


@pytest.mark.slow
def test_equal_rows_are_rarely_called_worse_and_never_by_one_seed():
    any_cell, oa = shares(rates.false_calls(30, (8,), (3,), (0.35,)))
    assert oa <= any_cell <= 10
    assert shares(rates.false_calls(3, (2,), (1,), (0.62,))) == [0, 0]


@pytest.mark.slow
def test_a_row_four_seed_sds_behind_is_found_with_three_seeds():
    any_cell, oa = shares(rates.power(15, (8,), (3,), (0.35,)))
    assert any_cell >= oa >= 80


def test_of_seven_of_seven_images_the_interval_is_wilsons():
    (line,) = rates.all_right(1)
    assert line.endswith("[64.57, 100.00]")
