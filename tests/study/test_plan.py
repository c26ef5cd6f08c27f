import json
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from search_spaces.paper import TABLES
from search_spaces.table import select
from study.plan import RunRecord, Trial, overview, plan, remaining
from study.tracking.comparison import Replica, differences
from wbc_model.choices import CELLS
from wbc_model.config import TrialConfig
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.scoring.metrics import ConfusionMatrix

EYE = ConfusionMatrix(CELLS, tuple(tuple(int(i == j) for j in range(5)) for i in range(5)))


def test_each_training_once_every_config_before_the_next_seed():
    trials = plan(TABLES, seeds=(0, 1, 0))
    assert len(trials) == len({trial.id for trial in trials}) == 92
    assert [trial.seed for trial in trials] == [0] * 46 + [1] * 46
    assert [trial.config for trial in trials[:46]] == [trial.config for trial in trials[46:]]


def test_a_trial_knows_the_tables_it_fills():
    (proposed,) = [trial for trial in plan(TABLES) if trial.config == TrialConfig()]
    assert proposed.tables == ("4", "5", "6", "7", "8", "9", "10", "12")
    assert proposed.id == "ef1424cb5c-s0"


def test_what_a_trial_is_for_is_no_part_of_it():
    config = TrialConfig(epochs=2)
    assert Trial(config, 0, ("4",), {"epochs": 2}) == Trial(config, 0)
    assert len({Trial(config, 0, ("4",)), Trial(config, 0)}) == 1


def test_its_name_is_what_sets_it_apart_in_its_study():
    config = TrialConfig(mixup_alpha=0.4, epochs=2)
    assert Trial(config, 0).name == "mixup_alpha=0.4 epochs=2"
    assert Trial(config, 0, (), {"epochs": 2}).name == "mixup_alpha=0.4"
    assert Trial(TrialConfig(epochs=2), 0, (), {"epochs": 2}).name == "proposed"


def test_remaining_is_plan_minus_finished():
    trials = plan(TABLES)
    left = remaining(trials, {trials[0].id, trials[5].id, "not planned"})
    assert left == [trial for i, trial in enumerate(trials) if i not in (0, 5)]


def test_overview_counts_rows_trainings_and_what_is_left():
    trials = plan(TABLES, seeds=(0, 1))
    seen = overview(TABLES, trials, {trials[0].id})
    assert {name: seen[name] for name in ("rows", "configs", "trials", "finished", "to_run")} == {
        "rows": 87, "configs": 46, "trials": 92, "finished": 1, "to_run": 91
    }  # fmt: skip
    assert seen["tables"][0] == {
        "table": "4", "title": TABLES[0].title, "rows": 6, "configs": 6, "trials": 12, "finished": 1, "to_run": 11
    }  # fmt: skip
    assert len(seen["trial_ids"]) == 91


@pytest.mark.parametrize("overrides", [{}, {"epochs": 2, "model.attention": "se", "images": "drawn"}])
def test_trials_and_records_survive_json(overrides: dict):
    tables = select(TABLES, numbers=("11",), datasets=(), overrides=overrides)
    for trial in plan(tables, overrides=overrides):
        record = RunRecord(trial=trial, best_epoch=3, validation=EYE, test=EYE, curves=[{"epoch": 0, "lr": 1e-5}],
                           seconds=1.5, provenance={"git": None})  # fmt: skip
        back = RunRecord.from_json(json.loads(json.dumps(record.to_json())))
        assert back == record
        assert (back.trial.tables, back.trial.overrides) == (("11",), overrides)


def test_a_record_of_tests_elsewhere_survives_json_and_one_from_before_there_were_such_is_read():
    trial = Trial(TrialConfig(test_on="all"), 0)
    record = RunRecord(trial=trial, best_epoch=0, validation=EYE, test=EYE, curves=[], seconds=1, provenance={},
                       elsewhere={LISC.name: EYE})  # fmt: skip
    assert RunRecord.from_json(json.loads(json.dumps(record.to_json()))) == record
    assert list(record.tests) == ["ldwbc", "lisc"]
    before = replace(record, elsewhere={}).to_json()
    del before["elsewhere"]
    assert RunRecord.from_json(before) == replace(record, elsewhere={})


def test_a_record_of_other_classes_or_fewer_test_sets_than_its_config_s_is_outdated():
    record = RunRecord(trial=Trial(TrialConfig(), 0), best_epoch=0, validation=EYE, test=EYE, curves=[], seconds=1.0,
                       provenance={})  # fmt: skip
    assert record.outdated == ""
    four = ConfusionMatrix(CELLS[1:], tuple(row[1:] for row in EYE.counts[1:]))
    told = "other classes of ldwbc (monocyte, eosinophil, neutrophil, lymphocyte; now basophil, monocyte, eosinophil, "
    assert replace(record, test=four).outdated.startswith(told)
    assert replace(record, validation=four).outdated.startswith(told)
    everywhere = replace(record, trial=Trial(TrialConfig(test_on="all"), 0), elsewhere={"lisc": EYE, "bccd": EYE})
    assert everywhere.outdated == "no test on raabin"
    assert replace(everywhere, elsewhere=everywhere.elsewhere | {"raabin": EYE}).outdated == ""
    assert replace(everywhere, elsewhere=everywhere.elsewhere | {"raabin": four}).outdated.startswith(told)


def test_wandb_s_copy_of_a_record_may_lack_fields_that_are_younger():
    record = RunRecord(
        trial=Trial(TrialConfig(), 0), best_epoch=0, validation=EYE, test=EYE, curves=[], seconds=1, provenance={}
    )
    before = record.to_json()
    del before["elsewhere"], before["trial"]["config"]["test_on"]
    assert differences(record, Replica("finished", [], json.dumps(before))) == []
    for other in (before | {"best_epoch": 1}, before | {"best_epoch": "late"}):
        assert differences(record, Replica("finished", [], json.dumps(other))) == ["its summary has a different record"]


def test_a_record_that_lacks_something_is_refused():
    with pytest.raises(ValueError, match="best_epoch"):
        TypeAdapter(RunRecord).validate_python({"trial": Trial(TrialConfig(), 0).to_json()})
