from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from analysis.stats.compare import Comparison
from analysis.stats.evidence import ComparedTable, gather
from analysis.stats.predictions import PredictionLookup
from analysis.stats.remarks import remarks
from analysis.tables.fill import Filled, fill
from search_spaces.paper import TABLES
from search_spaces.table import PER_CLASS, Table
from tests.analysis.simulated import Simulation
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.datasets.raabin import DATASET as RAABIN
from wbc_model.errors import InputError

ATTENTION = TABLES[1]
DATASETS = {"LISC": LISC, "Raabin": RAABIN}
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
    records = [simulation.trial(c, s, worse=0.2 * (c == none)) for c in (none, se, eca) for s in (0, 1)]
    cells = [row.cells for row in judged(simulation, first(3), records, seeds=(0, 1)).rows]
    assert not any(cell.tied or cell.best for cell in cells[0])
    for two in zip(cells[1], cells[2], strict=True):
        assert {(cell.best, cell.tied) for cell in two} <= {(True, False), (False, True)}


def test_what_cannot_be_tested_is_not_shown_to_differ_and_is_named():
    simulation = Simulation(SIZES, seed=0)
    records = [simulation.trial(config, worse=0.4 * i) for i, config in enumerate(first(2).rows.values())]
    del simulation.predictions[records[1].trial.id]
    filled = judged(simulation, first(2), records)
    assert [cell.tied for cell in filled.rows[1].cells] == [True] * 4
    assert "Not tested: CD SE (no predictions of seed 0)." in filled.test_notes


def test_reasons_that_hold_for_some_columns_are_named_with_them():
    simulation = Simulation(SIZES, seed=0)
    filled = judged(simulation, first(2), [simulation.trial(config) for config in first(2).rows.values()])
    lost, other = "no predictions of seed 0", "other test images than the best row, No"
    cells = {(filled.rows[1].labels, i): lost if i < 2 else other for i in range(4)}
    (note,) = remarks(filled, (), (), cells)
    assert note == f"Not tested: CD SE (OA, AP: {lost}; AR, AF1: {other})."
    (note,) = remarks(filled, (), (), {(filled.rows[1].labels, 2): lost})
    assert note == f"Not tested: CD SE (AR: {lost})."


def test_of_equally_good_rows_one_with_the_same_test_images_is_compared():
    simulation = Simulation(SIZES, seed=0)
    records = [simulation.trial(c, worse=w) for c, w in zip(first(3).rows.values(), (-1, -1, 0.3), strict=True)]
    kept = simulation.predictions[records[0].trial.id]
    simulation.predictions[records[0].trial.id] = replace(kept, ids=np.char.add("other/", kept.ids))
    filled = judged(simulation, first(3), records)
    assert [str(cell.mark) for cell in filled.rows[2].cells] == ["‡"] * 4
    assert not any(note.startswith("Not tested") for note in filled.test_notes)
    (scatter,) = (note for note in filled.test_notes if note.startswith("Seed SD"))
    assert "LDWBC (No) OA" in scatter
    assert "LDWBC (CD SE, CD ECA) OA" in scatter


def test_predictions_of_another_test_are_refused():
    simulation = Simulation(SIZES, seed=0)
    record, other = simulation.trial(ATTENTION.rows["", "No"]), simulation.trial(ATTENTION.rows["CD", "SE"], worse=0.3)
    simulation.predictions[record.trial.id] = simulation.predictions[other.trial.id]
    row = fill(first(1), [record]).rows[0]
    with pytest.raises(InputError, match=f"predictions.npz of trial {record.trial.id} is not what its record counts"):
        PredictionLookup(simulation.predictions.get, {}).of(row)


def test_probabilities_that_are_not_numbers_are_refused_by_the_runs_name():
    simulation = Simulation(SIZES, seed=0)
    record = simulation.trial(ATTENTION.rows["", "No"])
    kept = simulation.predictions[record.trial.id]
    kept.probabilities[3] = np.where(kept.probabilities[3] == 1, 1, np.nan)
    record = replace(record, test=kept.matrix)
    row = fill(first(1), [record]).rows[0]
    with pytest.raises(InputError, match=f"trial {record.trial.id} has probabilities that are not numbers"):
        PredictionLookup(simulation.predictions.get, {}).of(row)


def test_one_seed_shows_a_worse_network_and_no_worse_method():
    simulation = Simulation((100, 200, 150, 400, 400), seed=0)
    records = [simulation.trial(config, worse=0.3 * i) for i, config in enumerate(first(2).rows.values())]
    filled = judged(simulation, first(2), records)
    assert [str(cell.mark) for cell in filled.rows[1].cells] == ["‡"] * 4
    notes = " ".join((*filled.test_notes, *filled.sign_notes))
    assert "‡ one seed, of this row or of the best: these trained networks differ" in notes
    assert "LDWBC OA 0.50, AP 0.58, AR 0.50, AF1 0.55 (assumed: no row has two seeds)" in notes
    assert "One seed shows no method to be worse." in notes


@pytest.mark.parametrize(("often", "told"), [(0.998, "100 %"), (0.42, "42 %"), (0.0031, "0.31 %")])
def test_how_often_equal_methods_differ_as_much_is_told_in_percent(often, told):
    simulation = Simulation((100, 200, 150, 400, 400), seed=0)
    records = [simulation.trial(config, worse=0.3 * i) for i, config in enumerate(first(2).rows.values())]
    evidence = gather(fill(first(2), records), PredictionLookup(simulation.predictions.get, {}))
    ones = [replace(one, adjusted=often) for one in evidence.comparisons]
    assert any(f"as much as at ‡ in {told} of" in note for note in remarks(evidence.filled, (), ones, {}))


def test_a_difference_of_one_seed_must_show_in_the_others():
    simulation = Simulation((100, 200, 150, 400, 400), seed=0)
    a, b = first(2).rows.values()
    worse = {0: 0.3, 1: -0.05, 2: 0.0}
    records = [simulation.trial(a, seed) for seed in worse] + [
        simulation.trial(b, s, worse=w) for s, w in worse.items()
    ]
    assert winners(judged(simulation, first(2), records, seeds=(0, 1, 2))) == 0
    alike = [simulation.trial(a, s) for s in worse] + [simulation.trial(b, s, worse=0.3) for s in worse]
    assert winners(judged(simulation, first(2), alike, seeds=(0, 1, 2))) == 4


def test_rows_without_a_common_seed_are_compared():
    simulation = Simulation(SIZES, seed=0)
    a, b = first(2).rows.values()
    records = [simulation.trial(a, 0), simulation.trial(a, 1)] + [simulation.trial(b, s, worse=0.5) for s in (2, 3)]
    evidence = gather(fill(first(2), records, seeds=range(4)), PredictionLookup(simulation.predictions.get, {}))
    assert len(evidence.comparisons) == 4
    assert all(one.worse for one in evidence.comparisons)


def detectable(evidence: ComparedTable, comparisons: Sequence[Comparison]) -> list[str]:
    """The datasets of the note on minimum detectable differences, in its order."""
    told = remarks(evidence.filled, evidence.blocks, comparisons, {})
    return [note.removesuffix(".").split("points): ")[1] for note in told if note.startswith("Minimum")]


def test_scores_without_a_detectable_difference_are_named_in_the_order_of_the_table():
    simulation = Simulation(SIZES, seed=0)
    none, se = first(2).rows.values()
    rows = {(name, n): replace(c, dataset=d) for name, d in DATASETS.items() for n, c in (("No", none), ("SE", se))}
    table = replace(first(2), stub=("Dataset", "Attention"), heads=(), rows=rows, best_within=1)
    shift = {(labels, s): 0.3 * (labels[1] == "SE") for labels in rows for s in (0, 1, 2)}
    records = [simulation.trial(rows[labels], s, worse=worse) for (labels, s), worse in shift.items()]
    evidence = gather(fill(table, records, seeds=(0, 1, 2)), PredictionLookup(simulation.predictions.get, {}))
    assert len(evidence.comparisons) == 8
    far = {("LISC", 0): np.inf, ("LISC", 2): np.inf, ("Raabin", 0): 0.25}
    found = [replace(one, detectable=far.get((one.row.labels[0], one.column), 0.5)) for one in evidence.comparisons]
    raabin = "Raabin OA 25.00, AP 50.00, AR 50.00, AF1 50.00"
    assert detectable(evidence, found[::-1]) == [f"LISC AP 50.00, AF1 50.00 (none for OA, AR); {raabin}"]
    no_lisc = [replace(one, detectable=np.inf) if one.row.labels[0] == "LISC" else one for one in found]
    assert detectable(evidence, no_lisc) == [f"LISC (none for OA, AP, AR, AF1); {raabin}"]
    assert detectable(evidence, [replace(one, as_networks=0.5) for one in found]) == []


def test_scores_that_all_rows_share_have_no_detectable_difference():
    simulation = Simulation(SIZES, seed=0)
    simulation.hardness[: SIZES[0]] = -1
    table = replace(first(2), columns=PER_CLASS)
    records = simulation.table(table, seeds=(0, 1, 2))
    evidence = gather(fill(table, records, seeds=(0, 1, 2)), PredictionLookup(simulation.predictions.get, {}))
    (told,) = detectable(evidence, evidence.comparisons)
    assert told.endswith(" (all rows equal in B, E, L)")


def test_the_order_of_the_images_does_not_count_and_other_images_are_named():
    simulation = Simulation(SIZES, seed=0)
    records = [simulation.trial(config, worse=0.3 * i) for i, config in enumerate(first(2).rows.values())]
    expected = judged(simulation, first(2), records)
    kept = simulation.predictions[records[1].trial.id]
    turned = {name: getattr(kept, name)[::-1] for name in ("ids", "truth", "probabilities")}
    simulation.predictions[records[1].trial.id] = replace(kept, **turned)
    assert judged(simulation, first(2), records) == expected
    simulation.predictions[records[1].trial.id] = replace(kept, ids=np.char.add("other/", kept.ids))
    found = judged(simulation, first(2), records)
    assert any("other test images than the best row" in note for note in found.test_notes)
    assert [cell.mark for row in found.rows for cell in row.cells if not cell.best] == ["†"] * 4


def test_copies_on_bccd_are_the_unit_of_its_tests_and_told():
    bccd = {labels: replace(config, dataset=BCCD) for labels, config in first(2).rows.items()}
    simulation = Simulation((60, 60, 60, 60), seed=0, copies=20)
    table = replace(ATTENTION, rows=bccd)
    records = simulation.table(table)
    grouped = judged(simulation, table, records)
    assert "BCCD: its 240 test images are copies of 12 photographed cells" in " ".join(grouped.test_notes)
    simulation.photographs = {}
    assert "as if they were independent" in " ".join(judged(simulation, table, records).test_notes)


def test_p_is_corrected_over_the_whole_table():
    """Of eight rows and four columns, as many pairs compete as there are: p is that of the largest difference."""
    simulation = Simulation(SIZES, seed=3)
    table = first(8)
    filled = fill(table, simulation.table(table, seeds=(0, 1, 2), spread=0.02), seeds=(0, 1, 2))
    found = gather(filled, PredictionLookup(simulation.predictions.get, {})).comparisons
    assert all(one.p <= one.adjusted for one in found)
    assert min(one.adjusted for one in found) > 5 * min(one.p for one in found)


@pytest.mark.parametrize("last_seeds", [(0, 1, 2), (0,)])
def test_a_corrected_interval_excludes_0_exactly_where_the_cell_is_called_worse(last_seeds):
    """With one seed, where its network is."""
    told = []
    for n in range(6):
        simulation = Simulation(SIZES, seed=n)
        *others, last = first(5).rows.values()
        trials = [*((config, seed) for config in others for seed in (0, 1, 2)), *((last, seed) for seed in last_seeds)]
        records = [simulation.trial(c, s, worse=0.03 * others.index(c) if c in others else 0.1) for c, s in trials]
        filled = fill(first(5), records, seeds=(0, 1, 2))
        told += gather(filled, PredictionLookup(simulation.predictions.get, {})).comparisons
    assert all((one.value + one.corrected_reach < 0) == (one.worse or one.worse_network) for one in told)
    assert {(one.as_networks is not None, one.worse or one.worse_network) for one in told} == {
        (single, worse) for single in {False, len(last_seeds) == 1} for worse in (False, True)
    }
    assert any(one.error.p(one.value) < 0.05 and not one.worse for one in told)


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
    assert all(cell.tied or cell.worse_network for cell in cells)
