import csv

import numpy as np
import pytest

from analysis.commands import verify
from analysis.load import Study
from analysis.published.numbers import printed
from analysis.stats.compare import PredictionLookup
from analysis.stats.evidence import gather
from analysis.tables.fill import fill
from search_spaces.paper import PROPOSED, TABLES, vary
from search_spaces.rehearsal import REHEARSAL
from wbc_model.choices import CELLS
from wbc_model.scoring.predictions import Predictions

BY_NUMBER = {table.number: table for table in TABLES}
SIZES, RIGHT = (42, 208, 95, 2146, 2038), (40, 188, 95, 2134, 1974)
"""LDWBC's test set, and what the proposed model calls right: 97.84 %."""


def study(make_record, right: dict, *, overrides=None, lost=(), tables=("9",)) -> Study:
    """Runs that call so many images of each class right; the others are taken for the next class."""
    records, predictions = [], {}
    truth = np.repeat(np.arange(5), SIZES)
    for config, hits in right.items():
        counts = [[0] * 5 for _ in CELLS]
        called = truth.copy()
        for i, (n, k) in enumerate(zip(SIZES, hits, strict=True)):
            counts[i][i], counts[i][(i + 1) % 5] = k, n - k
            called[np.flatnonzero(truth == i)[k:]] = (i + 1) % 5
        records.append(make_record(config, counts=counts, overrides=overrides))
        predictions[records[-1].trial.id] = Predictions(
            classes=CELLS, ids=np.arange(len(truth)).astype(str), truth=truth, probabilities=np.eye(5)[called]
        )
    kept = {trial: one for trial, one in predictions.items() if trial not in lost}
    evidence = [
        gather(fill(BY_NUMBER[n], records, overrides=overrides), PredictionLookup(kept.get, {})) for n in tables
    ]
    return Study([one.filled for one in evidence], evidence, records, {}, overrides or {}, None)


def verdicts(found, labels=("✓", "", "✓", "")):
    return {one.score: one.verdict for one in found if one.row.labels == labels}


def test_the_papers_own_counts_are_reproduced(make_record):
    found = list(verify.verify(study(make_record, {PROPOSED: RIGHT}, tables=("4", "9"))))
    assert verdicts(found) == dict.fromkeys("BMENL", "reproduced")
    assert {one.score: one.verdict for one in found if one.row.labels == ("0.2",)} | {"AP": "", "AF1": ""} == {
        "OA": "reproduced",
        "AR": "reproduced",
        "AP": "",
        "AF1": "",
    }


def test_what_is_far_off_contradicts_and_what_is_near_is_noise(make_record):
    off = verdicts(verify.verify(study(make_record, {PROPOSED: (40, 120, 95, 2110, 1974)})))
    assert off == {"B": "reproduced", "M": "contradicts", "E": "reproduced", "N": "contradicts", "L": "reproduced"}
    near = verdicts(verify.verify(study(make_record, {PROPOSED: (40, 188, 95, 2124, 1974)})))
    assert near["N"] == "within noise"


def test_what_is_not_run_is_said(make_record):
    found = list(verify.verify(study(make_record, {PROPOSED: RIGHT})))
    assert verdicts(found, ("", "✓", "", "✓")) == dict.fromkeys("BMENL", "not run")
    assert len(found) == 20


def test_without_predictions_ap_has_no_interval_and_is_not_judged(make_record):
    found = list(verify.verify(study(make_record, {PROPOSED: RIGHT}, lost=(f"{PROPOSED.id}-s0",), tables=("4",))))
    assert {one.score: one.verdict for one in found if one.row.labels == ("0.2",)} == {
        "OA": "reproduced",
        "AP": "not judged",
        "AR": "not judged",
        "AF1": "not judged",
    }


def test_the_printed_numbers_own_intervals():
    rows = {(row.table, row.labels[-1]): row for row in printed()}
    assert verify._own_interval(rows["4", "0.2"], "OA") == pytest.approx((97.37, 98.22), abs=0.005)
    low, high = verify._own_interval(rows["5", "SAM + CAM (SCAM)"], "AR")
    assert low < 96.38 < high
    assert high - low == pytest.approx(2 * 1.96 * 100 * sum(
        k / n * (1 - k / n) / n for n, k in zip(SIZES, RIGHT, strict=True)) ** 0.5 / 5, rel=0.25)  # fmt: skip
    assert verify._own_interval(rows["5", "SAM + CAM (SCAM)"], "AP") is None


@pytest.mark.slow
def test_the_command_names_what_contradicts_and_what_to_run(tmp_path, make_record, write_run, capsys):
    counts = [[30 * (i == j) for j in range(5)] for i in range(5)]
    counts[0] = [10, 20, 0, 0, 0]
    write_run(tmp_path / "runs", make_record(PROPOSED, counts=counts))
    write_run(tmp_path / "runs", make_record(vary(epochs=3)))
    here = ["--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "build"), "--tables", "4"]
    assert verify.main(here) == 1
    told = capsys.readouterr().out
    assert "Table 4: of 24 cells 1 reproduced, 3 contradicts, 20 not run" in told
    assert "  contradicts: Table 4, α 0.2, OA: printed 97.84, measured 86.67" in told
    assert f"  to run: study/run.py --tables 4 --storage {tmp_path / 'runs'}" in told
    lines = list(csv.DictReader((tmp_path / "build" / "verify.csv").read_text(encoding="utf-8").splitlines()))
    (line,) = (line for line in lines if line["row"] == "α 0.2" and line["score"] == "OA")
    assert (line["printed"], line["printed low"], line["printed high"]) == ("97.84", "97.37", "98.22")


@pytest.mark.slow
def test_a_rehearsal_is_never_held_against_the_paper(tmp_path, make_record, write_run, capsys):
    write_run(tmp_path / "runs", make_record(PROPOSED.override(REHEARSAL), overrides=REHEARSAL))
    assert verify.main(["--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "build")]) == 2
    assert "their numbers say nothing about the paper's" in capsys.readouterr().err
    assert not (tmp_path / "build").exists()
