"""Learning curves: mixup against raw samples (Fig. 6), and all models (Figs. 8 and 9)."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import (
    COLOURS,
    DASHES,
    MARKERS,
    MODEL_STYLE,
    CannotDraw,
    Drawn,
    canvas,
    ids,
    percent_axis,
    rows_of,
    seeds_note,
)
from analysis.tables.fill import Filled, Row
from study.plan import RunRecord

BAND = "their range"
STEP = 5
"""Percentage points; an axis that is cut begins at a multiple."""
ACCURACIES = (
    "Training accuracy: share of augmented, mixed images whose most probable class is that of the larger component, "
    "with dropout active. Validation accuracy: share of unaltered images classified correctly, without dropout."
)


def figure_6(tables: Mapping[str, Filled]) -> Drawn:
    """The proposed model on raw and virtual samples: training and validation accuracy."""
    rows = [row for row in _with_curves(tables) if row.labels[0] == "Our model"]
    if not rows:
        raise CannotDraw("it shows the proposed model of Table 10, which has no finished run")
    figure = canvas(2.7)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, part in zip(panels, ("train", "validation"), strict=True):
        for i, row in enumerate(rows):
            draw_curve(axes, row, f"{part}_accuracy", style=i, label=f"{row.labels[1]} samples")
        axes.set_title(f"{'ab'[part == 'validation']}  {part.capitalize()} set")
        axes.set_xlabel("Epoch")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    cut = zoom(panels)
    percent_axis(panels, "Accuracy")
    return Drawn(
        "6",
        "Effect of mixup on training and validation accuracy",
        f"The proposed model on LDWBC. {seeds_note(rows, band=BAND)} {ACCURACIES}{cut}"
        f"{_absent(tables['10'], rows, of='Our model')}",
        figure,
        trials=ids([run for row in rows for run in row.runs]),
    )


def figure_8(tables: Mapping[str, Filled]) -> Drawn:
    """Training accuracy of all models."""
    return _models(tables, "8", "train")


def figure_9(tables: Mapping[str, Filled]) -> Drawn:
    """Validation accuracy of all models, with the highest value of each."""
    return _models(tables, "9", "validation")


def _with_curves(tables: Mapping[str, Filled]) -> list[Row]:
    return [row for row in rows_of(tables, "10") if all(run.curves for run in row.runs)]


def _models(tables: Mapping[str, Filled], number: str, part: str) -> Drawn:
    rows = [row for row in _with_curves(tables) if row.labels[1] == "Virtual"]
    if not rows:
        raise CannotDraw("it shows the rows of Table 10 on virtual samples, none of which has a finished run")
    figure = canvas(3.3)
    axes = figure.subplots()
    key = f"{part}_accuracy"
    for row in sorted(rows, key=lambda row: MODEL_STYLE[row.labels[0]]):
        best = f" (THA {_highest(row.runs, key):.2f})" if part == "validation" else ""
        draw_curve(axes, row, key, style=MODEL_STYLE[row.labels[0]], label=f"{row.labels[0]}{best}")
    axes.set_xlabel("Epoch")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    cut = zoom([axes])
    percent_axis([axes], f"{part.capitalize()} accuracy")
    highest = " THA: the highest accuracy of any epoch, mean over seeds." if part == "validation" else ""
    return Drawn(
        number,
        f"{'Training' if part == 'train' else 'Validation'} accuracy of all models on LDWBC",
        f"Trained on virtual samples. {seeds_note(rows, band=BAND)}{highest} {ACCURACIES}{cut}"
        f"{_absent(tables['10'], rows)}",
        figure,
        trials=ids([run for row in rows for run in row.runs]),
    )


def draw_curve(axes: Axes, row: Row, key: str, *, style: int, label: str) -> None:
    """Draw the mean over a row's seeds, and their range as a band if there are several."""
    curves = curve(row.runs, key)
    epochs = np.arange(1, curves.shape[1] + 1)
    look = {"color": COLOURS[style], "linestyle": DASHES[style % len(DASHES)], "marker": MARKERS[style]}
    every = max(1, len(epochs) // 8)
    offset = style % every  # so that the markers of overlapping lines do not hide each other
    axes.plot(epochs, curves.mean(0), label=label, markevery=(offset, every), zorder=3 if style == 0 else 2, **look)
    if len(curves) > 1:
        axes.fill_between(epochs, curves.min(0), curves.max(0), color=COLOURS[style], alpha=0.15, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(x=0.02)


def zoom(panels: Sequence[Axes]) -> str:
    """Begin the axes below what follows the first quarter of the epochs, so that close models can be told apart.

    Returns:
        A sentence for the caption; empty if nothing is cut.
    """
    lines = [np.asarray(line.get_ydata()) for axes in panels for line in axes.lines]
    start = STEP * np.floor(min(line[len(line) // 4 :].min() for line in lines) / STEP)
    if min(line.min() for line in lines) >= start:
        return ""
    for axes in panels:
        axes.set_ylim(bottom=start)
    return f" Axes begin at {start:g} %; first epochs may lie below."


def curve(runs: Sequence[RunRecord], key: str) -> np.ndarray:
    """A score of every epoch, in percent (runs, epochs)."""
    return 100 * np.array([[row[key] for row in run.curves] for run in runs])


def _highest(runs: Sequence[RunRecord], key: str) -> float:
    return float(curve(runs, key).max(1).mean())


def _absent(table: Filled, shown: Sequence[Row], *, of: str = "") -> str:
    """A sentence that names the rows without a finished run; empty if all are shown."""
    wanted = [row for row in table.rows if (row.labels[0] == of if of else row.labels[1] == "Virtual")]
    names = [" ".join(row.labels) for row in wanted if row.labels not in {row.labels for row in shown}]
    return f" Not shown, because finished runs are missing: {', '.join(names)}." if names else ""
