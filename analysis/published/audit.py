"""Consistency checks of the published numbers: totals, repeated rows, and the integers behind percentages."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from analysis.published.integers import HALF, compositions, eq_6_possible, hits, macro_f1_possible, true_positives
from analysis.published.numbers import (
    EXCLUDED,
    VALIDATION_IN_TEXT,
    Numbers,
    Printed,
    dataset_of,
    images_tested,
    read_csv,
    sizes_of,
)
from search_spaces.paper import PROPOSED
from wbc_model.datasets.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of a check: how many numbers pass, and which do not."""

    what: str
    passed: int
    of: int
    failed: tuple[str, ...] = ()
    expected: bool = True
    """Whether all should pass; Eq. (6) fails everywhere, which is a finding, not an error."""

    @property
    def ok(self) -> bool:
        return not self.expected or self.passed == self.of


def audit(rows: Sequence[Printed]) -> Iterator[Check]:
    """Every check of published numbers against each other."""
    yield _totals()
    yield _repeated(rows)
    yield _accuracies(rows)
    overall = {row.config.id: row for row in rows if "OA" in row.numbers}
    yield from _recalls(_by_dataset(rows), overall)
    yield _eq_6(rows)


def sets_tested(rows: Sequence[Printed]) -> dict[Dataset, dict[str, int]]:
    """By dataset and column label, the class sizes of its test set, which the printed recalls determine uniquely."""
    overall = {row.config.id: row for row in rows if "OA" in row.numbers}
    return {dataset: _possible(part, overall)[0] for dataset, part in _by_dataset(rows).items()}


def _by_dataset(rows: Sequence[Printed]) -> dict[Dataset, list[Printed]]:
    """The rows of per-class recalls, by dataset."""
    found: dict[Dataset, list[Printed]] = defaultdict(list)
    for row in rows:
        if "OA" not in row.numbers:
            found[row.config.dataset].append(row)
    return found


def _possible(rows: Sequence[Printed], overall: Mapping[str, Printed]) -> list[dict[str, int]]:
    accuracies = [overall[row.config.id].numbers["OA"] for row in rows]
    return compositions([row.numbers for row in rows], accuracies, images=images_tested(rows[0].config))


def _count(what: str, results: Mapping[str, bool], *, expected: bool = True) -> Check:
    failed = tuple(name for name, passed in results.items() if not passed) if expected else ()
    return Check(what=what, passed=sum(results.values()), of=len(results), failed=failed, expected=expected)


def _totals() -> Check:
    """Row sums of Tables 1 and 2, and whether the totals of the two agree."""
    results, images = {}, {}
    for line in read_csv("1"):
        images[line["dataset"]] = int(line["total"]) - EXCLUDED.get(line["dataset"], 0)
        results[f"Table 1, {line['dataset']}"] = sum(int(line[c] or 0) for c in "BMENL") == int(line["total"])
    for line in read_csv("2"):
        parts = int(line["train"]) + int(line["val"]) + int(line["test"])
        results[f"Table 2, {line['dataset']}"] = parts == int(line["total"])
        results[f"Table 2, {line['dataset']} against Table 1"] = int(line["total"]) == images[line["dataset"]]
    return _count("totals of Tables 1 and 2 are sums of their parts, and agree (BCCD less 108 excluded)", results)


def _repeated(rows: Sequence[Printed]) -> Check:
    """Whether the scores of one training are equal in all tables that repeat them."""
    seen: dict[tuple[str, str], Printed] = {}
    results = {}
    for row in rows:
        for score, number in row.numbers.items():
            first = seen.setdefault((row.config.id, score), row)
            if first is not row:
                results[f"{row}, {score}: {number} here, {first.numbers[score]} in {first}"] = (
                    number == first.numbers[score]
                )
    return _count("scores that several tables repeat are the same in each", results)


def _accuracies(rows: Sequence[Printed]) -> Check:
    distinct = {(row.config.id, row.numbers["OA"]): row for row in rows if "OA" in row.numbers}
    results = {f"{row}: OA {oa}": bool(hits(oa, images_tested(row.config))) for (_, oa), row in distinct.items()}
    images = sizes_of(PROPOSED)[1]
    for alpha, accuracy in VALIDATION_IN_TEXT.items():
        results[f"validation accuracy {accuracy} at alpha {alpha}"] = bool(hits(accuracy, images))
    return _count("accuracies are shares of whole numbers of images (distinct trainings, and two in the text)", results)


def _recalls(by_dataset: Mapping[Dataset, Sequence[Printed]], overall: Mapping[str, Printed]) -> Iterator[Check]:
    """Whether a dataset's recalls fit one test set whose integers give OA and AR, and allow AP and AF1."""
    unique: dict[str, bool] = {}
    counted: dict[str, tuple[dict[str, int] | None, dict[str, int], Numbers]] = {}
    for rows in by_dataset.values():
        whole = [overall[row.config.id].numbers for row in rows]
        sets = _possible(rows, overall) or [{}]
        sizes = ", ".join(f"{cell} {n}" for cell, n in sets[0].items()) or "no test set fits"
        unique[f"{dataset_of(rows[0].config)} {sizes}"] = len(sets) == 1 and bool(sets[0])
        for row, numbers in zip(rows, whole, strict=True):
            right = true_positives(row.numbers, sets[0], numbers["OA"]) if sets[0] else None
            counted[str(row)] = right, sets[0], numbers
    yield _count(f"datasets have exactly one possible test set: {'; '.join(unique)}", unique)
    sums = {row: bool(right) and _is_mean(right, of, numbers["AR"]) for row, (right, of, numbers) in counted.items()}
    yield _count("rows of recalls are whole numbers of its images, sum to OA, and average to AR", sums)
    f1 = {
        row: bool(right) and macro_f1_possible(right, of, precision=numbers["AP"], macro_f1=numbers["AF1"])
        for row, (right, of, numbers) in counted.items()
    }
    yield _count("of these rows have an AF1 that can be the mean of per-class F1, given their AP", f1)


def _is_mean(right: Mapping[str, int], sizes: Mapping[str, int], recall: Decimal) -> bool:
    mean = sum((Decimal(100 * n) / sizes[cell] for cell, n in right.items()), Decimal()) / len(right)
    return abs(mean - recall) <= HALF


def _eq_6(rows: Sequence[Printed]) -> Check:
    whole = [row for row in rows if "AF1" in row.numbers]
    results = {str(r): eq_6_possible(r.numbers["AP"], r.numbers["AR"], r.numbers["AF1"]) for r in whole}
    return _count("rows have the AF1 of Eq. (6), the harmonic mean of AP and AR, even allowing for rounding", results,
                  expected=False)  # fmt: skip
