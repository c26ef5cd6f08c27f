import csv
from dataclasses import replace
from io import StringIO
from math import isnan, nan

import pandas as pd
import pytest

from analysis.output.frames import cell_lines, delta_lines, frame, run_lines, to_csv
from analysis.output.rank_table import ranks
from analysis.stats.evidence import gather, power_lines
from analysis.stats.predictions import PredictionLookup
from analysis.stats.ranks import critical_difference
from analysis.tables.fill import fill
from search_spaces.paper import PROPOSED, TABLES
from tests.analysis.simulated import Simulation

BY_NUMBER = {table.number: table for table in TABLES}
SIZES = (42, 208, 95, 600, 700)


def of(number: str, *, seeds=(0,)):
    simulation = Simulation(SIZES, seed=1)
    filled = fill(BY_NUMBER[number], simulation.table(BY_NUMBER[number], seeds=seeds), seeds=seeds)
    return gather(filled, PredictionLookup(simulation.predictions.get, {}))


def test_every_cell_has_its_number_its_intervals_and_its_distance_from_the_best():
    evidence = of("7")
    lines = cell_lines(evidence)
    assert len(lines) == 12
    for line in lines:
        assert float(line["over images low"]) < float(line["mean"]) < float(line["over images high"])
        assert line["low"] < line["over images low"] < line["over images high"] < line["high"]
        assert isnan(line["over seeds low"])
        assert line["images by"] == "images"
        assert line["seed SD assumed"]
        assert line["best"] or float(line["difference low"]) <= float(line["difference"]) <= 0.005
        assert line["best"] or line["p"] <= line["p corrected"]
        assert line["best"] or line["best row"] in ("RM SCAM", "DM SCAM", "RM DM SCAM")


def test_several_seeds_have_intervals_over_seeds_too():
    evidence = of("7", seeds=(0, 1, 2))
    for line in cell_lines(evidence):
        assert float(line["over seeds low"]) < float(line["mean"]) < float(line["over seeds high"])
        assert not line["seed SD assumed"]
        assert line["low"] <= min(line["over seeds low"], line["over images low"])
        assert line["high"] >= max(line["over seeds high"], line["over images high"])


@pytest.mark.parametrize("worse", [0.1, -1.0], ids=["alike", "all right"])
def test_seeds_that_do_not_differ_tell_no_interval_over_seeds(worse):
    simulation = Simulation(SIZES, seed=1)
    records = [simulation.trial(config, worse=worse) for config in BY_NUMBER["7"].rows.values()]
    for first in tuple(records):
        records += [again := replace(first, trial=replace(first.trial, seed=1))]
        simulation.predictions[again.trial.id] = simulation.predictions[first.trial.id]
    filled = fill(BY_NUMBER["7"], records, seeds=(0, 1))
    for line in cell_lines(gather(filled, PredictionLookup(simulation.predictions.get, {}))):
        assert isnan(line["over seeds low"])
        assert line["over images low"] < line["over images high"]


def test_deltas_are_from_the_proposed_row():
    evidence = of("8")
    lines = delta_lines(evidence, PROPOSED)
    assert {line["less"] for line in lines} == {"RM TL DM TL"}
    cells = {row.config.id: row.cells[0].mean for row in evidence.filled.rows}
    first, *_ = evidence.filled.rows
    (line,) = (one for one in lines if one["row"] == evidence.filled.describe(first) and one["score"] == "OA")
    assert float(line["difference"]) == pytest.approx(float(cells[first.config.id] - cells[PROPOSED.id]), abs=0.011)
    assert {line["seed SD assumed"] for line in lines} == {True}
    assert {line["seed SD assumed"] for line in delta_lines(of("8", seeds=(0, 1)), PROPOSED)} == {False}


def test_power_tells_what_could_have_been_shown():
    lines = power_lines(of("9", seeds=(0, 1)))
    assert {line["units"] for line in lines if line["score"] == "B"} == {42}
    assert all(line["detectable"] > line["SE over images"] > 0 for line in lines)
    assert all(isnan(line["detectable"]) for line in power_lines(of("9")))


def test_costs_list_each_trial_once(make_record):
    tables = [fill(BY_NUMBER[number], [make_record(PROPOSED)]) for number in ("4", "5")]
    (line,) = csv.DictReader(to_csv(frame(run_lines(tables), kind="measured")).splitlines())
    assert line == {"kind": "measured", "trial": f"{PROPOSED.id}-s0", "dataset": "ldwbc", "name": "proposed"} | {
        "seed": "0",
        "device": "",
        "hours": "0.0003",
        "OA": "100.00",
        "AF1": "100.00",
    }


def test_models_are_ranked_over_the_datasets(make_record):
    table = BY_NUMBER["12"]
    records = []
    for (_, model), config in table.rows.items():
        wrong = list(dict.fromkeys(name for _, name in table.rows)).index(model)
        k = len(config.dataset.classes)
        counts = [[20 * (i == j) for j in range(k)] for i in range(k)]
        counts[0] = [20 - wrong, wrong, *[0] * (k - 2)]
        records.append(make_record(config, counts=counts))
    ranked = ranks(fill(table, records))
    assert [[cell.text for cell in row.cells][:2] for row in ranked.body] == [
        [model, f"{place}.00"]
        for place, model in enumerate(("ResNet", "DenseNet", "Inception v3", "Jiang", "Sharma", "Our model"), start=1)
    ]
    assert "chi-squared 20.00, p = 0.00125" in ranked.notes[0]  # 12 / (N k (k + 1)) sum R^2 - 3 N (k + 1)
    assert (
        "AF1: by Nemenyi's test ResNet is above Sharma by 4.00, ResNet is above Our model by 5.00" in ranked.notes[-1]
    )
    assert ranks(fill(table, records[:-1])) is None


def test_the_critical_difference_is_demsars():
    assert critical_difference(4, 14) == pytest.approx(2.569 * (4 * 5 / (6 * 14)) ** 0.5, abs=0.01)
    assert critical_difference(6, 4) == pytest.approx(3.77, abs=0.005)


def test_rows_on_another_dataset_are_compared_within_it():
    simulation = Simulation((60, 60, 60, 60, 60), seed=1)
    table = replace(BY_NUMBER["11"], rows={k: v for k, v in BY_NUMBER["11"].rows.items() if k[0] != "BCCD"})
    evidence = gather(fill(table, simulation.table(table)), PredictionLookup(simulation.predictions.get, {}))
    assert all(one.row.labels[0] == one.best.labels[0] for one in evidence.comparisons)
    assert {line["less"] for line in delta_lines(evidence, PROPOSED)} == {"LISC Our model", "Raabin Our model"}


def test_text_is_no_formula_and_numbers_stay_numbers():
    found = pd.DataFrame({"a": ["=1+1", "-1", "b\n=2", "-"], "@b": [-1.5, nan, 0.25, -0.001], "n": [-3, 0, 1, 2]})
    assert to_csv(found) == "a,'@b,n\n'=1+1,-1.50,-3\n'-1,,0\nb\\u000a=2,0.25,1\n'-,-0.00,2\n"


def test_counts_are_whole_numbers_where_some_cells_have_none():
    found = pd.read_csv(StringIO(to_csv(frame(cell_lines(of("7", seeds=(0, 1))), kind="measured"))), dtype=str)
    assert set(found["n"]) == {"2"}
    assert set(found["n of the best"].dropna()) == {"2"}
    assert found["n of the best"].isna().any()
