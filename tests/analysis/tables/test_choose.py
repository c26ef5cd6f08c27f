import shlex
from pathlib import Path

import pytest

from analysis.tables.choose import choose, tables_under
from analysis.tables.command_line import arguments, command
from analysis.tables.fill import fill
from search_spaces.paper import PROPOSED
from search_spaces.rehearsal import REHEARSAL
from search_spaces.table import effective, parse_overrides
from wbc_model.errors import InputError


def test_without_runs_it_says_where_it_looked_and_what_makes_some():
    with pytest.raises(InputError, match=r"no finished run in runs; make some: study/run.py --tables 4"):
        choose([], None, where="runs")


@pytest.mark.parametrize("overrides", [{}, {"epochs": 2}])
def test_the_one_study_there_is_is_printed(make_record, overrides):
    records = [make_record(PROPOSED.override(overrides), seed, overrides=overrides) for seed in (0, 1)]
    assert choose(records, None, where="runs") == overrides


def test_of_several_studies_one_must_be_named(make_record):
    records = [make_record(PROPOSED.override(o), overrides=o) for o in ({}, {"epochs": 2, "lr": 0.1}, REHEARSAL)]
    with pytest.raises(InputError, match="runs holds 3 studies") as error:
        choose(records, None, where="runs")
    assert str(error.value).splitlines()[1:] == [
        "  --set   (the paper itself)",
        "  --set epochs=2 lr=0.1",
        f"  --set {arguments(REHEARSAL)}",
    ]
    assert choose(records, {}, where="runs") == {}


def test_the_order_of_overrides_makes_no_other_study(make_record):
    flipped = dict(reversed(REHEARSAL.items()))
    records = [make_record(PROPOSED.override(o), seed, overrides=o) for seed, o in enumerate((REHEARSAL, flipped))]
    assert choose(records, None, where="runs") == REHEARSAL


@pytest.mark.parametrize("value", [2, 0.5, True, None, "se", "2", "true", "two words", "it's"])
def test_arguments_are_read_back_as_they_were(value):
    assert parse_overrides(shlex.split(arguments({"model.attention": value}))) == {"model.attention": value}


def test_a_table_that_varies_what_is_set_is_left_out_with_the_reason():
    tables, left_out = tables_under({"mixup_alpha": 0.4})
    assert [table.number for table in tables] == ["5", "6", "7", "8", "9", "11", "12"]
    assert list(left_out) == ["4", "10"]
    assert left_out["4"].startswith("varies what is being set")


def test_a_table_whose_networks_cannot_be_built_so_is_left_out_with_the_reason():
    _, left_out = tables_under({"image_size": 64})
    assert list(left_out) == ["10", "11", "12"]
    assert "inception_v3 needs images of at least 75 pixels" in left_out["10"]


@pytest.mark.parametrize(("overrides", "named"), [({"epoch": 2}, "no knob epoch"), ({"epochs": 0}, "greater than")])
def test_an_unknown_knob_or_a_bad_value_is_refused(overrides, named):
    with pytest.raises(InputError, match=named):
        tables_under(overrides)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (REHEARSAL, "--rehearse --tables 4"),
        (REHEARSAL | {"epochs": 2}, "--rehearse --tables 4 --set epochs=2"),
        (effective(REHEARSAL | {"lr": 1e-5}), "--rehearse --tables 4 --set lr=1e-05"),
        ({"images": "drawn"}, "--tables 4 --set images=drawn"),
        ({"epochs": 2, "lr": 0.1}, "--tables 4 --set epochs=2 lr=0.1"),
    ],
)
def test_the_command_sets_what_the_study_sets(overrides, words):
    tables, _ = tables_under(overrides)
    assert command(fill(tables[0], [], overrides=overrides)) == f"study/run.py {words}"


@pytest.mark.parametrize(
    ("overrides", "storage", "words"),
    [
        ({}, "runs", ""),
        ({}, "/mnt/my runs", " --storage '/mnt/my runs'"),
        (REHEARSAL, "runs/rehearsal", ""),
        (REHEARSAL, "runs", " --storage runs"),
    ],
)
def test_the_command_runs_into_the_storage_that_was_read(overrides, storage, words):
    tables, _ = tables_under(overrides)
    line = command(fill(tables[0], [], overrides=overrides), storage=Path(storage))
    assert line.split("--tables 4")[1] == words
