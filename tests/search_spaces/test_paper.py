import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces.catalogue import catalogue
from search_spaces.paper import DATASETS, PROPOSED, TABLES
from search_spaces.rehearsal import REHEARSAL
from search_spaces.table import OVERALL, PER_CLASS, Table, configs, effective, parse_overrides, select
from wbc_model.choices import Stain
from wbc_model.config import TrialConfig
from wbc_model.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "ids.json"
"""Every id of the paper's tables and of the extensions, with the difference that it is a hash of."""


def chosen(*, numbers: tuple = (), datasets: tuple = (), overrides: dict | None = None) -> list[Table]:
    return select(TABLES, numbers=numbers, datasets=datasets, overrides=overrides or {})


def test_87_rows_46_trainings():
    assert [len(table.rows) for table in TABLES] == [6, 8, 8, 3, 4, 4, 12, 18, 24]
    assert len(configs(TABLES)) == 46
    assert len({config.id for config in configs(TABLES)}) == 46


def test_every_id_is_the_one_under_which_runs_are_stored():
    """A change here orphans finished runs, and is right only with a new PROTOCOL. New tables add lines."""
    golden = json.loads(GOLDEN.read_text())
    assert {config.id: config.delta() for config in configs(catalogue(["E1"]))} == golden


def test_28_trainings_on_ldwbc_and_6_on_each_other():
    datasets = [config.dataset for config in configs(TABLES)]
    assert [datasets.count(dataset) for dataset in DATASETS] == [28, 6, 6, 6]


def test_the_proposed_model_has_a_row_wherever_ldwbc_has():
    tables = {table.number for table in TABLES if TrialConfig() in table.rows.values()}
    assert TrialConfig() == PROPOSED
    assert tables == {"4", "5", "6", "7", "8", "9", "10", "12"}


def test_rows_are_those_of_the_published_tables(shared: Path):
    """The dossier's map of 46 trainings to the rows that each fills: the same sizes of the same groups."""
    with (shared / "paper" / "published" / "trial_map.csv").open() as file:
        uses = [row["used_in"].split(";") for row in csv.DictReader(file)]
    theirs = sorted(sum(use.startswith("T") for use in trial) for trial in uses)
    rows = [config for table in TABLES for config in table.rows.values()]
    assert sorted(rows.count(config) for config in configs(TABLES)) == theirs


def test_planning_needs_neither_torch_nor_ray():
    code = (
        "import search_spaces.paper, study.run, sys; print([m for m in ('torch', 'ray', 'wandb') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_columns_are_scores_of_a_confusion_matrix():
    assert [column.label for column in OVERALL] == ["OA", "AP", "AR", "AF1"]
    assert [column.label for column in PER_CLASS] == ["B", "M", "E", "N", "L"]


def test_the_retraction_travels_with_every_table_that_shows_sharma():
    showing = {t.number for t in TABLES if any("Sharma" in labels for labels in t.rows)}
    assert showing == {t.number for t in TABLES if any("retracted" in note for note in t.notes)} == {"10", "11", "12"}


def test_a_row_wants_a_label_for_each_heading():
    with pytest.raises(ValueError, match=r"Table 99: row \('only one',\) wants one label"):
        Table("99", "", ("a", "b"), {("only one",): PROPOSED}, OVERALL)


def test_select_by_number_and_dataset():
    (table,) = chosen(numbers=("11",), datasets=("bccd",))
    assert [labels[0] for labels in table.rows] == ["BCCD"] * 6
    assert [t.number for t in chosen(datasets=("raabin",))] == ["11", "12"]


def test_overrides_reach_every_row():
    assert {config.epochs for config in configs(chosen(overrides={"epochs": 2}))} == {2}
    assert len(configs(chosen(overrides={"epochs": 2}))) == 46


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"numbers": ("4", "99")}, "no table 99: the study has tables 4, 5, 6, 7, 8, 9, 10, 11, 12"),
        ({"datasets": ("cifar",)}, "no dataset cifar: the study has ldwbc, lisc, bccd, raabin"),
        ({"numbers": ("4",), "datasets": ("bccd",)}, "no row of table 4 is on bccd"),
        ({"overrides": {"epochz": 1}}, "no knob epochz: there are"),
        ({"overrides": {"epochs": "two"}}, "epochs=two: Input should be a valid integer"),
        ({"overrides": {"mixup_alpha": 0.4}}, "Table 4 varies what is being set"),
    ],
)
def test_bad_selections_say_what_would_do(arguments: dict, message: str):
    with pytest.raises(InputError, match=message):
        chosen(**arguments)


def test_overrides_are_told_as_the_config_holds_them_and_only_where_they_depart():
    assert effective({"epochs": 100, "lr": 1, "mixup_alpha": 0.2, "model.attention": "se"}) == {
        "lr": 1.0, "model.attention": "se"
    }  # fmt: skip
    with pytest.raises(InputError, match="no knob epochz"):
        effective({"epochz": 1})


def test_parse_overrides_as_json_where_it_parses():
    pairs = ["epochs=2", "lr=1e-3", "model.attention=se", "model.frozen=true", "model.resnet=null"]
    assert parse_overrides(pairs) == {
        "epochs": 2, "lr": 1e-3, "model.attention": "se", "model.frozen": True, "model.resnet": None
    }  # fmt: skip
    with pytest.raises(InputError, match="KNOB=VALUE, got 'epochs'"):
        parse_overrides(["epochs"])
    with pytest.raises(InputError, match="--set gives epochs twice"):
        parse_overrides(["epochs=2", "epochs=3"])


def test_every_trial_of_the_paper_is_trained_under_table_3():
    for config in configs(TABLES):
        assert (config.lr, config.batch_size, config.epochs, config.dropout) == (1e-5, 16, 100, 0.5)
        assert config.image_size == 224


def test_the_open_choices_differ_from_the_paper_and_each_other():
    (table,) = chosen_of_all("E1")
    assert len(set(table.rows.values())) == len(table.rows)
    assert table.rows["As decided", ""] == PROPOSED
    paper = set(configs(TABLES))
    ours = [labels for labels, config in table.rows.items() if config in paper]
    assert all("as decided" in " ".join(labels).lower() for labels in ours)
    assert len(table.rows) - len(ours) == 15


def test_the_tables_on_stains_need_two_trainings_a_dataset_beside_those_of_table_e6():
    e6, e9, e10 = chosen_of_all("E6", "E9", "E10")
    assert e9.rows == e10.rows
    assert len(set(e9.rows.values())) == 12
    assert {config for config in e9.rows.values() if config.stain is Stain.NONE} == set(e6.rows.values())
    (changed,) = select([e6], numbers=(), datasets=("bccd",), overrides={"stain": "jitter"})
    assert list(changed.rows.values()) == [e9.rows["BCCD", "jitter"]]


def test_extensions_run_only_where_they_are_named():
    assert catalogue(()) == TABLES
    assert [table.number for table in chosen_of_all("E2", "4")] == ["4", "E2"]


def test_the_open_choices_can_be_rehearsed():
    assert len(select(catalogue(("E1",)), numbers=("E1",), datasets=(), overrides=REHEARSAL)[0].rows) == 21


def chosen_of_all(*numbers: str) -> list[Table]:
    return select(catalogue(numbers), numbers=numbers, datasets=(), overrides={})
