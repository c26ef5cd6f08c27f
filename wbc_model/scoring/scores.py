"""The formulas of the paper's scores, for any number of confusion matrices at once."""

from collections.abc import Sequence

import numpy as np

Scores = dict[str, np.ndarray]
"""By name, the values of one score in [0, 1], all of one shape."""


def scores(counts: np.ndarray, classes: Sequence[str]) -> Scores:
    """Every column of every table, each of shape (...), from flattened confusion matrices (..., classes * classes).

    `macro_f1` is the mean of the per-class F1: it reproduces Tables 4-11. `macro_f1_eq6`, the harmonic mean of macro
    precision and macro recall, is what the paper's Eq. (6) says; it reproduces none of their rows. A class that is
    never predicted has precision 0; one that never occurs has recall 0 and is left out of the macro means.
    """
    n = len(classes)
    counts = counts.reshape(*counts.shape[:-1], n, n)
    hits, truth, called = np.einsum("...ii->...i", counts), counts.sum(-1), counts.sum(-2)
    recalls, precisions, occurs = _ratio(hits, truth), _ratio(hits, called), truth > 0
    f1 = _ratio(2 * hits, truth + called)
    precision, recall = _mean(precisions, occurs), _mean(recalls, occurs)
    return {
        "accuracy": _ratio(hits.sum(-1), truth.sum(-1)),
        "macro_precision": precision,  # Eq. (4)
        "macro_recall": recall,  # Eq. (5)
        "macro_f1": _mean(f1, occurs),
        "macro_f1_eq6": _ratio(2 * precision * recall, precision + recall),  # Eq. (6)
    } | {f"recall/{cell}": recalls[..., i] for i, cell in enumerate(classes)}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, and 0 where `whole` is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)


def _mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Over the last axis, of the values that are counted."""
    return _ratio((values * counted).sum(-1), counted.sum(-1))
