import csv
from dataclasses import replace

import pytest

from analysis.output.frames import table_frame, to_csv
from analysis.tables.command_line import command
from analysis.tables.fill import fill, percent
from analysis.tables.notes import notes
from search_spaces.paper import PROPOSED, TABLES
from search_spaces.table import OVERALL, PER_CLASS, Table
from wbc_model.choices import ImageSource, SplitBy, Trunks
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.errors import InputError

ROWS = {("0",): replace(PROPOSED, mixup_alpha=0.0), ("0.2",): PROPOSED, ("0.4",): replace(PROPOSED, mixup_alpha=0.4)}
MIXUP = Table("4", "Effect of the mixup parameter", ("α",), ROWS, OVERALL[:1])
RAW, VIRTUAL, STRONG = ROWS.values()


def right(correct: int, *, of: int) -> list[list[int]]:
    """Counts over five cell types with this accuracy: all errors are basophils called monocytes."""
    return [[correct - 4, of - correct, 0, 0, 0], *([int(i == j) for j in range(5)] for i in range(1, 5))]


def column(filled, index: int = 0) -> list[str]:
    return [str(row.cells[index]) for row in filled.rows]


def bold(filled, index: int = 0) -> list[str]:
    return [" ".join(row.labels) for row in filled.rows if row.cells[index].best]


def test_records_find_their_rows_by_config_in_any_order(make_record):
    records = [make_record(STRONG, counts=right(70, of=100)), make_record(RAW, counts=right(90, of=100))]
    assert column(fill(MIXUP, records)) == ["90.00", "–", "70.00"]


def test_a_record_of_no_row_is_left_alone(make_record):
    assert column(fill(MIXUP, [make_record(replace(PROPOSED, epochs=2))])) == ["–", "–", "–"]


def test_a_trial_that_was_resumed_on_another_device_is_named(make_record):
    plain = make_record(RAW, counts=right(90, of=100))
    moved = replace(plain, provenance={**plain.provenance, "devices": ["NVIDIA L4", "NVIDIA A100"]})
    told = f"Resumed on another kind of device: trial {plain.trial.id} (NVIDIA L4, then NVIDIA A100)."
    assert told in notes(fill(MIXUP, [moved]))
    assert told not in notes(fill(MIXUP, [plain]))


def test_several_seeds_give_mean_and_sample_deviation(make_record):
    records = [make_record(RAW, seed, counts=right(n, of=100)) for seed, n in enumerate((90, 92, 97))]
    filled = fill(MIXUP, records, seeds=(0, 1, 2))
    assert column(filled)[0] == "93.00 ± 3.61"  # sqrt((9 + 1 + 16) / 2)
    assert filled.rows[0].seeds == (0, 1, 2)


@pytest.mark.parametrize(
    ("score", "printed"),
    [(1 / 32, "3.12"), (3 / 32, "9.38"), (0.90025, "90.02"), (0.90035, "90.04"), (2 / 3, "66.67"), (1.0, "100.00")],
)
def test_percent_rounds_halves_to_even(score, printed):
    assert str(percent(score)) == printed


def test_ties_are_bold_together(make_record):
    records = [make_record(c, counts=right(n, of=100)) for c, n in ((RAW, 90), (VIRTUAL, 90), (STRONG, 89))]
    assert bold(fill(MIXUP, records)) == ["0", "0.2"]


def test_bold_goes_by_the_printed_number(make_record):
    records = [make_record(RAW, counts=right(90_001, of=100_000)), make_record(VIRTUAL, counts=right(90, of=100))]
    assert bold(fill(MIXUP, records)) == ["0", "0.2"]


def test_a_lone_number_is_not_bold(make_record):
    assert bold(fill(MIXUP, [make_record(RAW)])) == []


def test_bold_is_sought_within_each_dataset(make_record):
    twelve = next(table for table in TABLES if table.number == "12")
    hits = {("LISC", "ResNet"): 9, ("LISC", "Jiang"): 8, ("Raabin", "ResNet"): 6, ("Raabin", "Jiang"): 7}
    others = [[10 * (i == j) for j in range(5)] for i in range(5)]
    records = [
        make_record(twelve.rows[labels], counts=[others[0], [10 - n, n, 0, 0, 0], *others[2:]])
        for labels, n in hits.items()
    ]
    assert bold(fill(twelve, records), index=1) == ["LISC ResNet", "Raabin Jiang"]


def test_a_missing_row_is_named_with_its_command_and_printed_as_a_dash(make_record):
    filled = fill(MIXUP, [make_record(RAW), make_record(STRONG)])
    assert column(filled)[1] == "–"
    assert filled.missing == ["α 0.2"]
    assert command(filled) == "study/run.py --tables 4"


def test_a_row_short_of_a_seed_is_printed_and_named(make_record):
    records = [make_record(config, seed) for config in ROWS.values() for seed in (0, 2)]
    filled = fill(
        MIXUP, [r for r in records if r.trial.id != f"{VIRTUAL.id}-s2"], seeds=(0, 2), overrides={"epochs": 2}
    )
    assert column(filled)[1] == "100.00"
    assert filled.missing == ["α 0.2 (seed 2)"]
    assert command(filled) == "study/run.py --tables 4 --set epochs=2 --seeds 0 2"


def test_rows_are_named_by_their_ticks():
    branches = fill(next(table for table in TABLES if table.number == "7"), [])
    assert branches.missing == ["RM SCAM", "DM SCAM", "RM DM SCAM"]


def test_bccd_has_no_basophils_and_lacks_nothing_for_it(make_record):
    bccd = replace(PROPOSED, dataset=BCCD)
    filled = fill(Table("x", "", ("",), {("a",): bccd}, PER_CLASS), [make_record(bccd)])
    assert [str(cell) for cell in filled.rows[0].cells] == ["–", "100.00", "100.00", "100.00", "100.00"]
    assert filled.missing == []


def test_two_records_of_one_trial_are_refused(make_record):
    with pytest.raises(InputError, match=f"two finished runs of trial {RAW.id}-s0"):
        fill(MIXUP, [make_record(RAW), make_record(RAW, 1), make_record(RAW)])


@pytest.mark.parametrize("rehearsed", [replace(RAW, images=ImageSource.DRAWN), replace(RAW, trunks=Trunks.TINY)])
def test_a_rehearsal_never_fills_a_table_of_the_paper(make_record, rehearsed):
    assert column(fill(MIXUP, [make_record(rehearsed)])) == ["–", "–", "–"]
    rehearsal = fill(replace(MIXUP, rows={("0",): rehearsed}), [make_record(rehearsed)])
    assert rehearsal.rehearsal
    assert not fill(MIXUP, []).rehearsal


def test_csv_gives_mean_and_deviation_as_numbers_and_says_what_kind(make_record):
    records = [make_record(RAW, seed, counts=right(n, of=100)) for seed, n in enumerate((90, 92))]
    first, second, _ = csv.DictReader(to_csv(table_frame(fill(MIXUP, records))).splitlines())
    assert first.pop("made from").startswith(f"trial {RAW.id}-s0, data unknown, weights none, code unknown, record ")
    assert first == {"kind": "measured", "overrides": "", "config": RAW.id, "α": "0", "seeds": "0 1"} | {
        "OA": "91.00",
        "OA sd": "1.41",
    }  # no AF1, so none by Eq. (6)
    assert second["OA"] == second["OA sd"] == second["seeds"] == ""


def test_csv_gives_af1_by_eq_6_too(make_record):
    first, *_ = csv.DictReader(
        to_csv(table_frame(fill(TABLES[0], [make_record(RAW, counts=right(90, of=100))]))).splitlines()
    )
    scores = make_record(RAW, counts=right(90, of=100)).test.scores()
    assert first["AF1"] == str(percent(scores["macro_f1"])) != first["AF1 by Eq. (6)"]
    assert first["AF1 by Eq. (6)"] == str(percent(scores["macro_f1_eq6"]))


def test_csv_of_a_rehearsal_says_so_in_every_line():
    drawn = replace(MIXUP, rows={labels: replace(c, images=ImageSource.DRAWN) for labels, c in ROWS.items()})
    lines = csv.DictReader(to_csv(table_frame(fill(drawn, [], overrides={"images": "drawn"}))).splitlines())
    assert [line["kind"] for line in lines] == ["rehearsal"] * 3


def test_rows_that_ask_for_other_splits_may_have_other_data(make_record):
    rows = {("random",): PROPOSED, ("stratified",): replace(PROPOSED, split=SplitBy.STRATIFIED)}
    table = Table("E4", "", ("Split",), rows, OVERALL)
    records = [make_record(config, provenance={"data": str(i)}) for i, config in enumerate(rows.values())]
    assert all(row.runs for row in fill(table, records).rows)


def test_runs_on_different_data_or_weights_never_share_a_table(make_record):
    def made(config, **provenance):
        return make_record(config, provenance=provenance)

    with pytest.raises(InputError, match=r"Table 4 mixes different data of ldwbc: a in .*; b in"):
        fill(MIXUP, [made(RAW, data="a"), made(VIRTUAL, data="b")])
    with pytest.raises(InputError, match="mixes different weights of resnet50"):
        fill(MIXUP, [made(c, data="a", weights={"resnet50": {"sha256": h}}) for c, h in ((RAW, "1"), (VIRTUAL, "2"))])


def test_the_recall_of_a_class_without_test_images_is_a_dash(make_record):
    nine = next(table for table in TABLES if table.number == "9")
    counts = [[10 * (i == j) for j in range(5)] for i in range(5)]
    counts[2] = [0] * 5
    (row,) = (row for row in fill(nine, [make_record(PROPOSED, counts=counts)]).rows if row.runs)
    assert [str(cell) for cell in row.cells] == ["100.00", "100.00", "–", "100.00", "100.00"]
