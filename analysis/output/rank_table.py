"""Table S1: models ranked over the datasets, with Friedman's test and Nemenyi's critical difference (Demsar 2006)."""

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

import numpy as np
from scipy.stats import friedmanchisquare, rankdata

from analysis.runs.fingerprints import provenance_line
from analysis.stats.ranks import critical_difference
from analysis.tables.fill import Filled, percent
from analysis.tables.layout import TableLayout, head, plain_rows
from analysis.tables.notes import REHEARSAL_NOTE, marked
from search_spaces.table import OVERALL

ALPHA = 0.05
SCORES = (OVERALL[0], OVERALL[3])


def ranks(filled: Filled) -> TableLayout | None:
    """Mean ranks of the models; None if there are fewer than three models or datasets, or if a row has no run."""
    datasets, models = (list(dict.fromkeys(row.labels[i] for row in filled.rows)) for i in (0, -1))
    if min(len(datasets), len(models)) < 3 or not all(row.runs for row in filled.rows):
        return None
    scores = {column.label: _scores(filled, column.key, (len(datasets), len(models))) for column in SCORES}
    placed = {label: rankdata(-values, axis=1).mean(0) for label, values in scores.items()}
    lines = {model: [f"{placed[label][i]:.2f}" for label in scores] for i, model in enumerate(models)}
    tests = [f"{label} {_friedman(values)}" for label, values in scores.items()]
    apart = [f"{label}: {_apart(models, placed[label], len(datasets))}" for label in scores if _differ(scores[label])]
    return TableLayout(
        number="S1",
        title=marked("Mean rank of the models over the datasets (1 is best)", rehearsal=filled.rehearsal),
        head=head([("Model",)], list(scores)),
        body=plain_rows(lines),
        labels=1,
        centred=frozenset(),
        notes=(*([REHEARSAL_NOTE] if filled.rehearsal else []), *_notes(datasets, models, tests), *apart),
        made_from=tuple(f"{filled.describe(row)}: {provenance_line(run)}" for row in filled.rows for run in row.runs),
    )


def _scores(filled: Filled, key: str, shape: tuple[int, int]) -> np.ndarray:
    """The printed scores (datasets, models), so that scores printed alike share a rank."""
    means = [fmean(run.test.scores()[key] for run in row.runs) for row in filled.rows]
    return np.array([float(percent(mean)) for mean in means]).reshape(shape)


def _differ(scores: np.ndarray) -> bool:
    """Whether Friedman's test says that some models (datasets, models) differ."""
    return not (scores == scores[:, :1]).all() and friedmanchisquare(*scores.T)[1] < ALPHA


def _apart(models: Sequence[str], ranks: np.ndarray, datasets: int) -> str:
    """The pairs of models whose mean ranks are farther apart than the critical difference."""
    reach = critical_difference(len(models), datasets)
    order = sorted(zip(ranks, models, strict=True))
    far = [(a, b, low - high) for (high, a), (low, b) in combinations(order, 2) if low - high > reach]
    pairs = [f"{a} is above {b} by {gap:.2f}" for a, b, gap in far]
    return f"by Nemenyi's test {', '.join(pairs)}." if pairs else "models differ, but no pair by Nemenyi's test."


def _friedman(scores: np.ndarray) -> str:
    if (scores == scores[:, :1]).all():
        return "no difference"
    statistic, p = friedmanchisquare(*scores.T)
    return f"chi-squared {statistic:.2f}, p = {p:.3g}"


def _notes(datasets: Sequence[str], models: Sequence[str], tests: Sequence[str]) -> list[str]:
    reach = critical_difference(len(models), len(datasets))
    return [
        f"Datasets: {', '.join(datasets)}. Friedman's test: {'; '.join(tests)}.",
        f"Nemenyi's critical difference at 5 %: {reach:.2f}, where ranks can differ by {len(models) - 1} at most; "
        "models with a smaller difference are not shown to differ.",
        f"{len(datasets)} datasets are few: both tests are approximations that need more, and detect only large "
        "differences. The tests by image say more about each dataset, but nothing about datasets in general.",
    ]
