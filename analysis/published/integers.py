"""Solve for the numbers of images behind printed percentages: can they all be those of one test set?"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from math import ceil, floor

import numpy as np

HALF = Decimal("0.005")
"""Half of the last printed digit, in percent."""
NEAR, TRIES = 200, 3000
"""How many false-positive counts of the rarer classes are tried near the false negatives, and in total."""

Recalls = Mapping[str, Decimal]


def hits(percent: Decimal, images: int) -> list[int]:
    """The numbers of hits out of `images` that print as this percentage."""
    low, high = (percent - HALF) * images / 100, (percent + HALF) * images / 100
    return list(range(max(ceil(low), 0), min(floor(high), images) + 1))


def compositions(recalls: Sequence[Recalls], accuracies: Sequence[Decimal], *, images: int) -> list[dict[str, int]]:
    """All class sizes, by class, for which every printed recall and accuracy is a share of whole images.

    Args:
        recalls: by class, of each row.
        accuracies: of the same rows.
        images: size of the test set.
    """
    *others, last = recalls[0]
    possible = {cell: _sizes([row[cell] for row in recalls], images) for cell in recalls[0]}
    found = []
    for sizes in product(*(possible[cell] for cell in others)):
        rest = images - sum(sizes)
        if rest in possible[last]:
            whole = dict(zip(recalls[0], (*sizes, rest), strict=True))
            if all(true_positives(row, whole, oa) for row, oa in zip(recalls, accuracies, strict=True)):
                found.append(whole)
    return found


def _sizes(percents: Sequence[Decimal], images: int) -> frozenset[int]:
    return frozenset(n for n in range(1, images + 1) if all(hits(percent, n) for percent in percents))


def true_positives(recalls: Recalls, sizes: Mapping[str, int], accuracy: Decimal) -> dict[str, int] | None:
    """By class, correctly classified images that give the recalls and the accuracy; None if impossible."""
    right = hits(accuracy, sum(sizes.values()))
    choices = product(*(hits(percent, sizes[cell]) for cell, percent in recalls.items()))
    return next((dict(zip(recalls, counts, strict=True)) for counts in choices if sum(counts) in right), None)


def macro_f1_possible(
    right: Mapping[str, int], sizes: Mapping[str, int], *, precision: Decimal, macro_f1: Decimal
) -> bool:
    """Whether false positives exist that give the printed AP, and the printed AF1 as the mean of per-class F1.

    False positives sum to the false negatives, and those of a class are false negatives of the other classes.
    """
    tp = np.array(list(right.values()), float)
    fn = np.array([sizes[cell] for cell in right], float) - tp
    errors = int(fn.sum())
    grid = np.indices((errors + 1, errors + 1)).reshape(2, -1)
    for fixed in _tries([int(n) for n in fn[:-3]], errors):
        rest = errors - sum(fixed) - grid.sum(0)
        fp = np.stack([*(np.full(grid.shape[1], n) for n in fixed), *grid, rest])[:, rest >= 0]
        fp = fp[:, (fp <= errors - fn[:, None]).all(0)].astype(float)
        called = tp[:, None] + fp
        ap = np.divide(tp[:, None], called, out=np.zeros_like(called), where=called > 0).mean(0)
        f1 = (2 * tp[:, None] / (2 * tp[:, None] + fp + fn[:, None])).mean(0)
        if (_reads(ap, precision) & _reads(f1, macro_f1)).any():
            return True
    return False


def _tries(start: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    """Counts that sum to at most `most`: first those near `start`, then a coarse grid over all, then finer ones."""

    def far(counts: tuple[int, ...]) -> int:
        return sum(abs(a - b) for a, b in zip(counts, start, strict=True))

    def fine(counts: tuple[int, ...]) -> int:
        return next(i for i, step in enumerate((32, 16, 8, 4, 2, 1)) if not any(n % step for n in counts))

    every = [counts for counts in product(range(most + 1), repeat=len(start)) if sum(counts) <= most]
    yield from sorted(every, key=far)[:NEAR]
    yield from sorted(every, key=lambda counts: (fine(counts), far(counts)))[: TRIES - NEAR]


def _reads(shares: np.ndarray, percent: Decimal) -> np.ndarray:
    return np.abs(100 * shares - float(percent)) <= float(HALF) + 1e-9


def eq_6_possible(precision: Decimal, recall: Decimal, macro_f1: Decimal) -> bool:
    """Whether AF1 can be the harmonic mean of AP and AR, allowing for the rounding of all three."""
    low, high = (2 * (precision + d) * (recall + d) / (precision + recall + 2 * d) for d in (-HALF, HALF))
    return low - HALF <= macro_f1 <= high + HALF
