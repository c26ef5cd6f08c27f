"""Table E6: trained on one dataset, tested on each."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from analysis.output.frames import cell_lines, table_frame, to_csv
from analysis.output.latex import render
from analysis.runs.fingerprints import fingerprints
from analysis.runs.predictions import of_record
from analysis.stats.evidence import gather
from analysis.stats.predictions import PredictionLookup
from analysis.tables.fill import fill
from analysis.tables.layout import lay_out
from search_spaces.extensions import EXTENSIONS
from search_spaces.paper import DATASETS
from study.plan import RunRecord
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.errors import InputError
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.scoring.predictions import Predictions

(E6,) = (table for table in EXTENSIONS if table.number == "E6")


def matrix(trained_on: Dataset, on: Dataset, *, right: int, wrong: int) -> ConfusionMatrix:
    """Of each cell type that both have, some called right and some as the next."""
    n = len(trained_on.classes)
    asked = [cell in on.classes for cell in trained_on.classes]
    counts = [[asked[i] * (right * (j == i) + wrong * (j == (i + 1) % n)) for j in range(n)] for i in range(n)]
    return ConfusionMatrix(trained_on.classes, tuple(map(tuple, counts)))


@pytest.fixture
def records(make_record) -> list[RunRecord]:
    """Every model calls nine of ten right at home and six of ten elsewhere."""
    found = []
    for config in E6.rows.values():
        own, data = config.dataset, {"data": config.dataset.name}
        others = {on.name: matrix(own, on, right=6, wrong=4) for on in DATASETS if on != own}
        data |= {"data_elsewhere": {on: on for on in others}}
        home = matrix(own, own, right=9, wrong=1)
        found.append(replace(make_record(config, provenance=data), test=home, elsewhere=others))
    return found


def predictions_of(records: list[RunRecord]) -> dict[tuple[str, str | None], Predictions]:
    found = {}
    for record in records:
        for on, test in record.tests.items():
            calls = [(i, j) for i, row in enumerate(test.counts) for j, n in enumerate(row) for _ in range(n)]
            truth, called = np.array(calls).T
            ids = np.array([f"{on}/{i}.png" for i in range(len(truth))])
            kept = Predictions(
                classes=test.classes, ids=ids, truth=truth, probabilities=np.eye(len(test.classes))[called]
            )
            found[record.trial.id, None if on == record.trial.config.dataset.name else on] = kept
    return found


def test_the_diagonal_is_the_ordinary_result_and_nothing_competes(records):
    filled = fill(E6, records)
    scores = np.array([[float(cell.mean) for cell in row.cells] for row in filled.rows])
    assert (scores[:, :4] == np.where(np.eye(4), 90, 60)).all()
    assert not [cell for row in filled.rows for cell in row.cells if cell.best]
    table = lay_out(gather(filled, PredictionLookup(lambda *_: None, {})).filled)
    assert not any(row.rule for row in table.body)
    assert "dagger" not in render(table)


def test_macro_f1_is_over_the_cell_types_that_occur(records):
    """Trained on LDWBC and asked about BCCD's four types; the fifth gets the last one's false calls."""
    row = fill(E6, records).rows[0]
    f1 = [2 * 6 / (2 * 6 + 4), *[2 * 6 / (10 + 10)] * 3]
    assert float(row.cells[6].mean) == pytest.approx(100 * np.mean(f1), abs=0.005)


def test_notes_say_what_a_model_was_not_shown(records):
    tex = render(lay_out(fill(E6, records)))
    assert "BCCD 10/10/10/10 M/E/N/L, 40 in all" in tex
    assert (
        "A model trained on BCCD knows no basophils and is tested without them, on LDWBC 40, LISC 40, Raabin 40." in tex
    )
    assert "knows no" not in render(lay_out(fill(E6, records[:1])))


def test_a_row_without_a_run_is_dashes_and_every_column_has_a_name_of_its_own(records):
    first, *others = csv.DictReader(to_csv(table_frame(fill(E6, records[1:]))).splitlines())
    assert (first["OA LISC"], others[0]["OA LISC"], others[0]["AF1 Raabin"]) == ("", "90.00", "60.00")


def test_intervals_are_over_the_images_of_the_column(records):
    kept = predictions_of(records)
    evidence = gather(fill(E6, records), PredictionLookup(lambda trial, on: kept.get((trial, on)), {}))
    lines = {(line["row"], line["score"]): line for line in cell_lines(evidence)}
    assert len(lines) == 32
    home, away = lines["Trained on LISC", "OA LISC"], lines["Trained on LISC", "OA LDWBC"]
    assert (home["images by"], away["images by"]) == ("images", "images")
    assert float(away["over images high"]) < 90 < float(home["over images high"])
    f1 = lines["Trained on LISC", "AF1 LDWBC"]
    assert float(f1["over images low"]) < 60 < float(f1["over images high"])


def test_copies_on_bccd_are_the_unit_of_other_models_intervals_there_too(records):
    kept = predictions_of(records)
    photographs = {f"bccd/{i}.png": str(i // 5) for i in range(40)}
    evidence = gather(fill(E6, records), PredictionLookup(lambda trial, on: kept.get((trial, on)), photographs))
    by = {line["score"]: line["images by"] for line in cell_lines(evidence) if line["row"] == "Trained on Raabin"}
    assert (by["OA BCCD"], by["OA LISC"]) == ("photographs", "images")


def test_predictions_elsewhere_must_be_those_that_the_record_counts(records):
    kept = predictions_of(records)
    first = records[0]
    swapped = {(first.trial.id, "lisc"): kept[first.trial.id, "bccd"]}
    with pytest.raises(InputError, match=r"predictions-lisc\.npz of trial .* is not what its record counts"):
        of_record(first, lambda trial, on: swapped[trial, on], on=LISC)


def test_tests_on_other_images_of_a_dataset_never_share_a_table(records):
    moved = records[0].provenance | {"data_elsewhere": {"lisc": "other images"}}
    with pytest.raises(InputError, match="Table E6 mixes different data of lisc"):
        fill(E6, [replace(records[0], provenance=moved), *records[1:]])


def test_a_changed_test_elsewhere_changes_the_fingerprints(records):
    first = records[0]
    changed = replace(first, elsewhere=first.elsewhere | {"lisc": first.test})
    assert fingerprints(changed)["record"] != fingerprints(first)["record"]
    assert "lisc=lisc" in fingerprints(first)["data"]
