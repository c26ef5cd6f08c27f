"""Wilson's interval of a share, such as an accuracy or the share of a cell type in a count. Needs no torch."""

from functools import cache

LEVEL = 0.95


@cache
def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of `hits / of` (Wilson 1927), as shares; everything from 0 to 1 where `of` is 0."""
    if not of:
        return 0.0, 1.0
    from scipy.stats import binomtest  # takes a second to load

    found = binomtest(hits, of).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)
