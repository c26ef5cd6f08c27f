from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from analysis.stats import paired
from analysis.stats.compare import PredictionLookup
from analysis.stats.evidence import gather
from analysis.tables.fill import Filled, fill
from search_spaces.paper import TABLES
from search_spaces.table import Table
from tests.analysis.simulated import Simulation
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.errors import InputError

ATTENTION = TABLES[1]
SIZES = (20, 40, 30, 110, 100)


def first(rows: int) -> Table:
    return replace(ATTENTION, rows=dict(islice(ATTENTION.rows.items(), rows)))


def judged(simulation: Simulation, table: Table, records, seeds=(0,)) -> Filled:
    return gather(
        fill(table, records, seeds=seeds), PredictionLookup(simulation.predictions.get, simulation.photographs)
    ).filled


def winners(filled: Filled) -> int:
    """Columns whose best stands alone: no tie, and every other cell apart from it."""
    columns = zip(*(row.cells for row in filled.rows), strict=True)
    return sum(sum(c.best for c in cells) == 1 and not any(c.tied for c in cells) for cells in columns)


def test_a_much_better_row_wins_alone_and_close_ones_share():
    simulation = Simulation((100, 200, 150, 400, 400), seed=0)
    none, se, eca = islice(ATTENTION.rows.values(), 3)
    records = [simulation.trial(none, worse=0.2), simulation.trial(se), simulation.trial(eca)]
    cells = [row.cells for row in judged(simulation, first(3), records).rows]
    assert not any(cell.tied or cell.best for cell in cells[0])
    for two in zip(cells[1], cells[2], strict=True):
        assert {(cell.best, cell.tied) for cell in two} <= {(True, False), (False, True)}


def test_what_cannot_be_tested_is_not_shown_to_differ_and_is_named():
    simulation = Simulation(SIZES, seed=0)
    records = [simulation.trial(config, worse=0.4 * i) for i, config in enumerate(first(2).rows.values())]
    del simulation.predictions[records[1].trial.id]
    filled = judged(simulation, first(2), records)
    assert [cell.tied for cell in filled.rows[1].cells] == [True] * 4
    assert "Not tested, because predictions of the same test images are missing: CD SE." in filled.test_notes


def test_predictions_of_another_test_are_refused():
    simulation = Simulation(SIZES, seed=0)
    record, other = simulation.trial(ATTENTION.rows["", "No"]), simulation.trial(ATTENTION.rows["CD", "SE"], worse=0.3)
    simulation.predictions[record.trial.id] = simulation.predictions[other.trial.id]
    row = fill(first(1), [record]).rows[0]
    with pytest.raises(InputError, match=f"predictions.npz of trial {record.trial.id} is not what its record counts"):
        PredictionLookup(simulation.predictions.get, {}).of(row)


def test_a_difference_of_one_seed_must_show_in_the_others():
    simulation = Simulation((100, 200, 150, 400, 400), seed=0)
    a, b = first(2).rows.values()
    worse = {0: 0.3, 1: -0.05, 2: 0.0}
    records = [simulation.trial(a, seed) for seed in worse] + [
        simulation.trial(b, s, worse=w) for s, w in worse.items()
    ]
    assert winners(judged(simulation, first(2), records[:1] + records[3:4])) == 4
    filled = judged(simulation, first(2), records, seeds=(0, 1, 2))
    assert winners(filled) == 0
    assert "paired t over seeds" in " ".join(filled.test_notes)


def test_rows_are_compared_over_the_seeds_that_both_have():
    simulation = Simulation(SIZES, seed=0)
    a, b = first(2).rows.values()
    records = [simulation.trial(a, 0), simulation.trial(a, 1), simulation.trial(b, 1, worse=0.5)]
    evidence = gather(fill(first(2), records, seeds=(0, 1)), PredictionLookup(simulation.predictions.get, {}))
    assert {one.seeds for one in evidence.comparisons} == {(1,)}


def test_copies_on_bccd_are_the_unit_of_its_tests_and_told():
    bccd = {labels: replace(config, dataset=BCCD) for labels, config in first(2).rows.items()}
    simulation = Simulation((60, 60, 60, 60), seed=0, copies=20)
    table = replace(ATTENTION, rows=bccd)
    records = simulation.table(table)
    grouped = judged(simulation, table, records)
    assert "BCCD: its 240 test images are copies of 12 photographed cells" in " ".join(grouped.test_notes)
    simulation.photographs = {}
    assert "as if they were independent" in " ".join(judged(simulation, table, records).test_notes)


def test_holms_correction_is_over_the_whole_table():
    simulation = Simulation(SIZES, seed=3)
    evidence = gather(fill(first(3), simulation.table(first(3))), PredictionLookup(simulation.predictions.get, {}))
    smallest = min(evidence.comparisons, key=lambda one: one.difference.p)
    assert smallest.adjusted == pytest.approx(min(1, len(evidence.comparisons) * smallest.difference.p))
    assert len(evidence.comparisons) == 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "seeds", "spread", "copies"),
    [(2, (0,), 0.0, 1), (4, (0,), 0.0, 1), (2, (0,), 0.0, 10), (2, (0, 1, 2), 0.02, 1)],
)
def test_equally_good_rows_give_a_lone_winner_in_at_most_one_table_of_twenty(rows, seeds, spread, copies, monkeypatch):
    monkeypatch.setattr(paired, "PERMUTATIONS", 499)
    won = []
    for seed in range(40):
        simulation = Simulation(SIZES, seed=seed, copies=copies)
        records = simulation.table(first(rows), seeds=seeds, spread=spread)
        won.append(winners(judged(simulation, first(rows), records, seeds)) > 0)
    assert np.mean(won) <= 0.05


def test_a_row_that_beats_the_best_on_the_seeds_both_have_is_not_called_worse():
    simulation = Simulation((100, 200, 150, 400, 400), seed=0)
    a, b = first(2).rows.values()
    records = [
        simulation.trial(a, 0, worse=0.3),
        simulation.trial(a, 1, worse=-0.2),
        simulation.trial(a, 2, worse=-0.2),
    ]
    records.append(simulation.trial(b, 0, worse=0.15))
    cells = judged(simulation, first(2), records, seeds=(0, 1, 2)).rows[1].cells
    assert all(cell.tied for cell in cells)
