"""A statement of the article, and how a printed table bears on it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from analysis.published.numbers import Labels, Numbers, Printed

PrintedRows = Sequence[Printed]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement of the text, in our words."""

    where: str
    says: str
    verdict: str
    """holds, in part, contradicted, or why none of them."""
    evidence: str


def verdict(support: Collection[bool]) -> str:
    """By how many of the numbers that a claim is about bear it out: all, half or more, fewer."""
    if all(support):
        return "holds"
    return "in part" if 2 * sum(support) >= len(support) else "contradicted"


def best(table: Mapping[Labels, Numbers], score: str) -> set[Labels]:
    """The rows with the highest printed number."""
    most = max(numbers[score] for numbers in table.values())
    return {labels for labels, numbers in table.items() if numbers[score] == most}


def rank(table: Mapping[Labels, Numbers], labels: Labels, score: str) -> int:
    """1 for the best; ties share the better place."""
    return 1 + sum(numbers[score] > table[labels][score] for numbers in table.values())


def lower(a: Numbers, b: Numbers) -> list[str]:
    """The scores in which `a` is below `b`."""
    return [score for score in a if a[score] < b[score]]
