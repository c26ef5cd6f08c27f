from dataclasses import replace
from decimal import Decimal

import pytest

from analysis.commands.audit import main
from analysis.published.audit import audit
from analysis.published.claims import claims
from analysis.published.integers import compositions, eq_6_possible, hits, macro_f1_possible, true_positives
from analysis.published.numbers import printed, read_csv
from search_spaces.paper import PROPOSED

SIZES = {"B": 12, "M": 8, "E": 11, "N": 7, "L": 11}
"""LISC's test set."""


def percents(*numbers: str) -> dict[str, Decimal]:
    return {cell: Decimal(number) for cell, number in zip(SIZES, numbers, strict=True)}


def plant(table: str, label: str, score: str, number: str):
    """The printed rows with one digit wrong."""
    wrong = [
        replace(row, numbers=row.numbers | {score: Decimal(number)})
        if row.table == table and row.labels[-1] == label
        else row
        for row in printed()
    ]
    assert wrong != list(printed())
    return wrong


def test_the_printed_tables_are_those_typed_in_from_the_article(shared):
    files = {"4": "table04_mixup", "5": "table05_attention", "6": "table06_attention_perclass", "7": "table07_branches"}
    files |= {"8": "table08_transfer", "9": "table09_transfer_perclass", "10": "table10_methods_ldwbc"}
    files |= {"11": "table11_methods_other", "12": "table12_perclass_all"}
    for number, name in files.items():
        lines = (shared / "paper" / "published" / f"{name}.csv").read_text().splitlines()[1:]
        rows = [row for row in printed() if row.table == number]
        assert len(rows) == len(lines)
        for row, line in zip(rows, lines, strict=True):
            assert [str(x) for x in row.numbers.values()] == [x for x in line.split(",") if x][-len(row.numbers) :]


def test_every_row_of_the_papers_tables_is_printed():
    assert len(printed()) == 87
    assert len({row.config for row in printed()}) == 46
    assert all("OA" in row.numbers or len(row.numbers) == len(row.config.dataset.classes) for row in printed())
    assert [line["dataset"] for line in read_csv("1")] == [line["dataset"] for line in read_csv("2")]


def test_hits_are_the_whole_images_behind_a_percentage():
    assert hits(Decimal("97.84"), 4529) == [4431]
    assert hits(Decimal("97.85"), 4529) == []
    assert hits(Decimal("100"), 7) == [7]
    assert hits(Decimal("50"), 20000) == [9999, 10000, 10001]


def test_a_test_set_is_recovered_from_its_percentages():
    rows = [percents("100", "62.50", "100", "100", "100"), percents("91.67", "50.00", "63.64", "85.71", "81.82")]
    accuracies = [Decimal("93.88"), Decimal("75.51")]
    assert compositions(rows, accuracies, images=49) == [SIZES]
    assert true_positives(rows[1], SIZES, accuracies[1]) == {"B": 11, "M": 4, "E": 7, "N": 6, "L": 9}
    assert compositions(rows, [Decimal("93.88"), Decimal("75.52")], images=49) == []


def test_af1_is_possible_only_as_the_mean_of_f1():
    """LISC, ResNet: two of the three errors must be called basophils."""
    right = {"B": 12, "M": 5, "E": 11, "N": 7, "L": 11}
    possible = {n: macro_f1_possible(right, SIZES, precision=Decimal("95.48"), macro_f1=Decimal(n)) for n in
                ("92.98", "92.97", "92.99", "93.97")}  # fmt: skip
    assert possible == {"92.98": True, "92.97": False, "92.99": False, "93.97": False}
    assert eq_6_possible(Decimal("95.48"), Decimal("92.50"), Decimal("93.97"))
    assert not eq_6_possible(Decimal("95.48"), Decimal("92.50"), Decimal("92.98"))


@pytest.mark.slow
def test_the_audit_finds_the_published_numbers_consistent_and_eq_6_nowhere(capsys):
    assert main([]) == 0
    told = capsys.readouterr().out
    assert "48/48 accuracies are shares of whole numbers of images" in told
    assert "36/36 rows of recalls are whole numbers of its images, sum to OA, and average to AR" in told
    assert "36/36 of these rows have an AF1 that can be the mean of per-class F1" in told
    assert "0/51 rows have the AF1 of Eq. (6)" in told
    assert "LDWBC B 42, M 208, E 95, N 2146, L 2038;" in told


@pytest.mark.parametrize(
    ("planted", "failed"),
    [
        (("4", "0.4", "OA", "97.71"), "Table 4, α 0.4: OA 97.71"),
        (("10", "Raw", "OA", "97.85"), "Table 10, ResNet Raw: OA 97.85"),
        (("4", "0.2", "AP", "91.62"), "Table 5, TD SAM + CAM (SCAM), AP: 91.61 here, 91.62 in Table 4, α 0.2"),
        (("6", "SE", "M", "85.59"), "LDWBC no test set fits"),
        (("11", "Jiang", "AR", "97.52"), "Table 12, LISC Jiang"),
    ],
)
def test_a_planted_digit_is_found_and_named(planted, failed):
    rows = plant(*planted)
    found = []
    for check in audit(rows):
        found += check.failed
        if failed in found:
            return
    pytest.fail(f"not found: {failed}; found {found}")


def test_claims_are_held_against_the_numbers():
    verdicts = {(claim.where, claim.says): claim.verdict for claim in claims(printed())}
    assert verdicts["Tables 10, 11", "the best overall performance on the four datasets"] == "not shown"
    contradicted = [where for (where, _), verdict in verdicts.items() if verdict == "contradicted"]
    assert contradicted == ["Table 5, title and model", "Table 6", "Table 5", "Table 4"]
    assert [where for (where, _), verdict in verdicts.items() if verdict == "in part"] == [
        *("Table 4", "Table 8", "Table 10", "Table 12"),
    ]
    assert [where for (where, _), verdict in verdicts.items() if verdict == "holds"] == [
        "Table 7",
        "Table 9",
        "Table 11",
    ]


def test_claims_follow_the_numbers():
    best = {"OA": Decimal("99"), "AP": Decimal("99"), "AR": Decimal("99"), "AF1": Decimal("99")}
    rows = [replace(row, numbers=best) if row.config == PROPOSED and row.table == "5" else row for row in printed()]
    assert claims(rows)[0].verdict == "holds"


def test_false_positives_of_a_class_come_from_the_others():
    """Where monocytes alone are missed, nothing else can be called one: AP cannot suffer through them."""
    right = SIZES | {"M": 5}
    assert not macro_f1_possible(right, SIZES, precision=Decimal("92.50"), macro_f1=Decimal("92.50"))
    assert macro_f1_possible(right, SIZES, precision=Decimal("96.00"), macro_f1=Decimal("93.16"))
