"""A statement in the article's text, and what its printed tables say about it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from analysis.published.numbers import Labels, Numbers, Printed

PrintedRows = Sequence[Printed]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement in the text, paraphrased, with the verdict of the tables."""

    where: str
    says: str
    verdict: str
    """`holds`, `in part` or `contradicted`; another word where the numbers cannot decide."""
    evidence: str


def verdict(support: Collection[bool]) -> str:
    """`holds` if all numbers support a claim, `in part` if at least half do, else `contradicted`."""
    if all(support):
        return "holds"
    return "in part" if 2 * sum(support) >= len(support) else "contradicted"


def best(table: Mapping[Labels, Numbers], score: str) -> set[Labels]:
    """The rows with the highest printed number."""
    most = max(numbers[score] for numbers in table.values())
    return {labels for labels, numbers in table.items() if numbers[score] == most}


def rank(table: Mapping[Labels, Numbers], labels: Labels, score: str) -> int:
    """The rank of a row by a score, 1 for the best; ties share the better rank."""
    return 1 + sum(numbers[score] > table[labels][score] for numbers in table.values())


def lower(a: Numbers, b: Numbers) -> list[str]:
    """The scores in which `a` is below `b`."""
    return [score for score in a if a[score] < b[score]]
