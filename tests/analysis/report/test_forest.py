from analysis.output.frames import cell_lines
from analysis.report.forest import Axis, forest
from analysis.stats.evidence import gather
from analysis.stats.predictions import PredictionLookup
from analysis.tables.fill import fill
from search_spaces.paper import TABLES
from tests.analysis.simulated import Simulation

TABLE = TABLES[0]


def test_an_axis_has_round_ticks_among_them_zero():
    axis = Axis("OA", -7.7, 0.8)
    assert axis.ticks == [(axis.at(-5), "−5"), (axis.at(0), "0")]
    assert 0 < axis.at(-7.7) < axis.at(-5) < axis.at(0) < axis.at(0.8) < 100
    assert [text for _, text in Axis("B", -0.5, 0.4).ticks] == ["−0.5", "0"]


def test_the_plot_shows_the_differences_of_cells_csv_and_which_are_shown():
    simulation = Simulation((40, 100, 60, 400, 300), seed=1)
    configs = list(TABLE.rows.values())
    records = [simulation.trial(c, s, worse=0.15 * (c is configs[0])) for c in configs[:-1] for s in range(3)]
    one = gather(fill(TABLE, records), PredictionLookup(lambda trial, _: simulation.predictions.get(trial), {}))
    lines = cell_lines(one)
    plot = forest(one.filled, lines)
    assert plot
    (name, begins, (first, *_)), *others = plot.rows
    assert (name, begins, first.kind) == ("α 0", False, "worse")
    assert first.words.startswith(f"−{-lines[0]['difference']:.2f} (corrected interval −")
    axis = plot.axes[0]
    assert (first.low, first.at, first.high) == tuple(
        axis.at(lines[0][name]) for name in ("corrected low", "difference", "corrected high")
    )
    kinds = [intervals[0].kind for _, _, intervals in others[:-1]]
    assert sorted(kinds) == ["", "", "", "best"]
    assert others[-1] == ("α 1.0", False, [None] * 4)


def test_a_table_whose_rows_are_not_compared_has_no_plot(make_record):
    one = gather(fill(TABLE, [make_record(c) for c in TABLE.rows.values()]), PredictionLookup(lambda *_: None, {}))
    assert forest(one.filled, cell_lines(one)) is None
