"""Which evaluations of kept models stand for the trials of Table E6."""

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.runs.evaluated import add_evaluated
from analysis.runs.fingerprints import provenance_line
from analysis.runs.reading import Reading, Run
from analysis.tables.fill import fill
from analysis.tables.notes import notes
from search_spaces.extensions import EXTENSIONS
from search_spaces.paper import vary
from search_spaces.table import configs
from study.evaluate.evaluation import Evaluation, write_evaluation
from study.plan import Trial
from study.storage import Storage
from wbc_model.choices import CELLS
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.dataset import PAPER, by_name
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.scoring.metrics import ConfusionMatrix

E6, E9 = (table for table in EXTENSIONS if table.number in ("E6", "E9"))
OWN, EVERYWHERE = vary(dataset=LISC), vary(dataset=LISC, test_on="all")
MATRIX = ConfusionMatrix(CELLS, tuple(tuple(8 if i == j else 2 * (j == 0) for j in range(5)) for i in range(5)))


def evaluation(name: str, **changed) -> Evaluation:
    dataset = by_name(name)
    fields = {
        "dataset": name, "title": dataset.title, "declaration": dataset.fingerprint, "test_set": True,
        "images": f"images of {name}", "model": "m", "matrix": MATRIX, "unknown": 0, "trained_on": 0,
        "validated_on": 0, "predictions": "p", "seconds": 2.0, "made": {},
    }  # fmt: skip
    return Evaluation(**fields | changed)


@pytest.fixture
def reading(make_record) -> Reading:
    record = replace(make_record(OWN, 1, provenance={"data": "d"}), files={"model.safetensors": "m"})
    return Reading(runs={record.trial.id: Run(record, lambda _: None, "here")})


def added(reading: Reading, folder: Path, *evaluations: Evaluation) -> Reading:
    (run,) = reading.runs.values()
    for each in evaluations:
        write_evaluation(Storage(str(folder)).trial(run.record.trial.id), each)
    add_evaluated(reading, configs([E6]), Storage(str(folder)))
    return reading


OTHERS = [name for name in PAPER if name != "lisc"]


def test_a_model_tested_on_all_others_stands_for_the_trial_that_is_tested_on_all(reading: Reading, tmp_path: Path):
    seen = evaluation("bccd", trained_on=3, validated_on=1)
    added(reading, tmp_path, evaluation("ldwbc"), seen, evaluation("raabin"))
    own, found = reading.records
    assert found.trial == Trial(EVERYWHERE, 1)
    assert found.elsewhere == dict.fromkeys(OTHERS, MATRIX)
    assert found.outdated == ""
    assert found.provenance["data_elsewhere"] == {name: f"images of {name}" for name in OTHERS}
    assert found.seconds == 6, "its training is that of the other trial, and is counted there"
    assert provenance_line(found).startswith(
        f"trial {found.trial.id} (the model of trial {own.trial.id}, tested later)"
    )
    told = notes(fill(E6, reading.records, seeds=(1,)))
    assert (
        f"Not trained for this table: the models of trials {own.trial.id}, tested on the other datasets later." in told
    )
    assert "LISC's model on BCCD: test set; the model was trained on 3 and validated on 1 of them." in told


def test_a_table_of_own_tests_tells_nothing_of_the_others(reading: Reading, make_record, tmp_path: Path):
    added(reading, tmp_path, evaluation("ldwbc"), evaluation("bccd", trained_on=3), evaluation("raabin"))
    own, _ = reading.records
    trained = make_record(vary(dataset=BCCD, test_on="all"), 1, provenance={"data": "images of bccd"})
    told = notes(fill(E9, [*reading.records, trained], seeds=(1,)))
    assert f"Not trained for this table: the models of trials {own.trial.id}." in told
    (images,) = [note for note in told if note.startswith("Test images")]
    assert images == "Test images: LISC 10/10/10/10/10 B/M/E/N/L, 50 in all; BCCD 10/10/10/10 M/E/N/L, 40 in all."
    assert not any("on BCCD" in note or "LDWBC" in note for note in told if "rows missing" not in note)


@pytest.mark.parametrize(
    "third",
    [
        None,
        evaluation("raabin", model="of an earlier training"),
        evaluation("raabin", test_set=False),
        evaluation("raabin", declaration="other classes"),
        evaluation("raabin", matrix=ConfusionMatrix(("a", "b"), ((1, 0), (0, 1)))),
    ],
)
def test_it_does_not_where_one_is_missing_or_of_another_model_or_other_images(
    third: Evaluation | None, reading: Reading, tmp_path: Path
):
    added(reading, tmp_path, evaluation("ldwbc"), evaluation("bccd"), *([third] if third else []))
    assert [record.trial.config for record in reading.records] == [OWN]


def test_a_trial_that_was_trained_for_the_table_counts_itself(reading: Reading, make_record, tmp_path: Path):
    trained = make_record(EVERYWHERE, 1)
    (run,) = reading.runs.values()
    for name in OTHERS:
        write_evaluation(Storage(str(tmp_path)).trial(run.record.trial.id), evaluation(name))
    reading.runs[trained.trial.id] = Run(trained, lambda _: None, "there")
    add_evaluated(reading, configs([E6]), Storage(str(tmp_path)))
    assert reading.runs[trained.trial.id].record == trained


def test_a_damaged_evaluation_is_named(reading: Reading, tmp_path: Path):
    (run,) = reading.runs.values()
    file = tmp_path / "trials" / run.record.trial.id / "evaluations" / "bccd.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"dataset": ')
    add_evaluated(reading, configs([E6]), Storage(str(tmp_path)))
    (problem,) = reading.problems
    assert problem.startswith(f"{file} is damaged")
