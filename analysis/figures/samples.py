"""The figure of a search: its samples, and how much each parameter mattered."""

from matplotlib.figure import Figure

from analysis.figures.style import COLOURS, canvas, percent_axis, warn_of_rehearsal
from search_spaces.tuning import SEARCHES
from study.search import Search

ENOUGH = 20
"""Samples from which on importances are more than a guess."""


def draw(search: Search, importances: dict[str, float]) -> Figure:
    """Left: validation accuracy by sample, and the best so far. Right: importance as shares of variance (fANOVA)."""
    values = [100 * max(trial.intermediate_values.values(), default=0.0) for trial in search.study().trials]
    figure = canvas(2.6)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    best = [max(values[: i + 1]) for i in range(len(values))]
    left.plot(range(1, len(values) + 1), values, "o", color=COLOURS[1], label="sample")
    left.step(range(1, len(values) + 1), best, where="post", color=COLOURS[0], label="best so far")
    left.set_title(SEARCHES[search.name].title)
    left.set_xlabel("Sample")
    percent_axis([left], "Validation accuracy")
    left.legend()
    names = list(importances)[::-1]
    right.barh(names, [100 * importances[name] for name in names], color=COLOURS[1])
    right.set_title(_importance(len(values)) if names else "Importance: too few samples to estimate")
    right.set_xlabel("Share of the variance (%)")
    if any(sample.trial.config.rehearsal for sample in search.known()):
        warn_of_rehearsal(figure)
    return figure


def _importance(samples: int) -> str:
    """The title above the importances, which says what they are worth."""
    return "Importance" if samples >= ENOUGH else f"Importance, a guess:\n{samples} samples, not {ENOUGH} or more"
