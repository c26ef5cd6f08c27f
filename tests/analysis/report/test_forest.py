import numpy as np
import pytest

from analysis.output.frames import cell_lines
from analysis.report.forest import Axis, forest
from analysis.stats.evidence import gather
from analysis.stats.predictions import PredictionLookup
from analysis.tables.fill import fill
from search_spaces.paper import TABLES
from tests.analysis.simulated import Simulation

TABLE = TABLES[0]


@pytest.mark.parametrize(("low", "high", "labels"), [
    (-7.7, 0.8, ["−6", "−3", "0"]),
    (-3.6, 2.6, ["−2", "0", "2"]),
    (-4.9, 4.9, ["−4", "0", "4"]),
    (-0.5, 0.4, ["−0.4", "0", "0.4"]),
    (-100.0, 70.0, ["−60", "0", "60"]),
    (-0.08, 0.0, ["−0.08", "−0.04", "0"]),
    (0.0, 0.0, ["0"]),
])  # fmt: skip
def test_an_axis_has_at_least_three_round_ticks_among_them_zero(low, high, labels):
    axis = Axis(low, high)
    assert [text for _, text in axis.ticks] == labels
    assert [at for at, _ in axis.ticks] == [axis.at(float(text.replace("−", "-"))) for text in labels]
    assert 0 < axis.at(low) <= axis.at(0) <= axis.at(high) < 100


def test_an_axis_has_no_more_ticks_than_its_labels_have_room_for():
    rng = np.random.default_rng(1)
    for low, high in zip(-(10 ** rng.uniform(-2, 2, 500)), 10 ** rng.uniform(-2, 2, 500), strict=True):
        assert 3 <= len(Axis(float(low), float(high)).ticks) <= 5


def test_the_plot_shows_the_differences_of_cells_csv_and_which_are_shown():
    simulation = Simulation((40, 100, 60, 400, 300), seed=1)
    configs = list(TABLE.rows.values())
    records = [simulation.trial(c, s, worse=0.15 * (c is configs[0])) for c in configs[:-1] for s in range(3)]
    one = gather(fill(TABLE, records), PredictionLookup(lambda trial, _: simulation.predictions.get(trial), {}))
    lines = cell_lines(one)
    plot = forest(one.filled, lines)
    assert plot
    (group,) = plot.groups
    (name, (first, *_)), *others = group.rows
    assert (name, first.kind) == ("α 0", "worse")
    assert first.words.startswith(f"−{-lines[0]['difference']:.2f} (corrected interval −")
    axis = group.axes[0]
    assert (first.low, first.at, first.high) == tuple(
        axis.at(lines[0][name]) for name in ("corrected low", "difference", "corrected high")
    )
    kinds = [intervals[0].kind for _, intervals in others[:-1]]
    assert sorted(kinds) == ["", "", "", "best"]
    assert others[-1] == ("α 1.0", [None] * 4)


def test_each_group_of_rows_has_an_axis_of_its_own():
    table = next(table for table in TABLES if table.number == "11")
    sizes = {"LISC": (12, 8, 11, 7, 11), "BCCD": (616, 616, 621, 612), "Raabin": (89, 234, 322, 2660, 1034)}
    simulations = {name: Simulation(of, seed=1) for name, of in sizes.items()}
    records = [
        simulations[labels[0]].trial(config, seed, worse=0.05 * (labels[1] == "ResNet"))
        for labels, config in table.rows.items()
        if labels != ("LISC", "ResNet")
        for seed in range(3)
    ]
    predictions = {name: one for simulation in simulations.values() for name, one in simulation.predictions.items()}
    one = gather(fill(table, records), PredictionLookup(lambda trial, _: predictions.get(trial), {}))
    plot = forest(one.filled, cell_lines(one))
    assert plot
    assert [[name.split()[0] for name, _ in group.rows] for group in plot.groups] == [[name] * 6 for name in sizes]
    lisc, _, raabin = (axis.high - axis.low for axis in (group.axes[0] for group in plot.groups) if axis)
    assert lisc > 3 * raabin
    for group in plot.groups:
        drawn = [one for _, intervals in group.rows if (one := intervals[0])]
        assert max(one.high for one in drawn) - min(one.low for one in drawn) > 80


def test_a_column_in_which_all_are_best_has_their_squares_and_one_without_numbers_has_no_axis():
    table = next(table for table in TABLES if table.number == "12")
    right = {name: Simulation(of, seed=1) for name, of in (("LISC", (12, 8, 11, 7, 11)), ("BCCD", (9, 9, 9, 9)))}
    records = [
        right[labels[0]].trial(config, worse=-1.0 if labels[0] == "LISC" else 0.2)
        for labels, config in table.rows.items()
        if labels[0] in right
    ]
    predictions = {name: one for simulation in right.values() for name, one in simulation.predictions.items()}
    one = gather(fill(table, records), PredictionLookup(lambda trial, _: predictions.get(trial), {}))
    plot = forest(one.filled, cell_lines(one))
    assert plot
    _, lisc, bccd, raabin = plot.groups
    assert plot.heads[0] == "M"
    assert {interval.kind for _, row in lisc.rows for interval in row if interval} == {"best"}
    assert [axis.ticks for axis in lisc.axes if axis] == [[(50.0, "0")]] * len(plot.heads)
    assert all(axis and len(axis.ticks) >= 3 for axis in bccd.axes)
    assert raabin.axes == [None] * len(plot.heads)


def test_a_table_whose_rows_are_not_compared_has_no_plot(make_record):
    one = gather(fill(TABLE, [make_record(c) for c in TABLE.rows.values()]), PredictionLookup(lambda *_: None, {}))
    assert forest(one.filled, cell_lines(one)) is None
