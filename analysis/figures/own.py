"""Figures of a user's own datasets: learning curves and confusion matrices behind Table D1."""

from collections.abc import Callable, Mapping, Sequence
from string import ascii_lowercase

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.curves import ACCURACIES, BAND, draw_curve
from analysis.figures.matrices import counts, draw_matrix
from analysis.figures.style import (
    MODEL_STYLE,
    CannotDraw,
    Drawn,
    canvas,
    ids,
    percent_axis,
    rows_of,
    seeds_note,
    shared_legend,
)
from analysis.tables.fill import Filled, Row
from wbc_model.datasets.dataset import Dataset, letters

COLUMNS = 3
"""Panels beside each other."""


def figure_curves(tables: Mapping[str, Filled]) -> Drawn:
    """Validation accuracy of every model, one panel a dataset."""
    rows = [row for row in rows_of(tables, "D1") if all(run.curves for run in row.runs)]
    figure, panels = panels_of(rows, height=2.6, draw=_curves)
    shared_legend(figure, panels)
    caption = f"{seeds_note(rows, band=BAND)} {ACCURACIES}"
    return _drawn("curves", "Validation accuracy of all models", caption, figure, rows)


def figure_matrices(tables: Mapping[str, Filled]) -> Drawn:
    """Confusion matrices of the proposed model, one panel a dataset."""
    rows = [row for row in rows_of(tables, "D1") if row.labels[1] == "Our model"]
    if not rows:
        raise CannotDraw("it shows the proposed model of Table D1, which has no finished run")
    figure, panels = panels_of(rows, height=2.6, draw=_matrix)
    panels[0].set_ylabel("True")
    datasets = dict.fromkeys(row.config.dataset for row in rows)
    told = "; ".join(_meanings(dataset) for dataset in datasets)
    caption = f"Counts of test images, summed over seeds; colour: share of the images of a true class. {told}."
    return _drawn("matrices", "Confusion matrices of the proposed model", caption, figure, rows)


def panels_of(
    rows: Sequence[Row], *, height: float, draw: Callable[[Axes, Sequence[Row]], None]
) -> tuple[Figure, list[Axes]]:
    """A panel for each dataset, titled by the label of its rows."""
    titles = dict.fromkeys(row.labels[0] for row in rows)
    lines = -(-len(titles) // COLUMNS)
    figure = canvas(height * lines)
    panels = list(np.atleast_1d(figure.subplots(lines, min(COLUMNS, len(titles)))).flat)
    for axes in panels[len(titles) :]:
        axes.axis("off")
    for i, (axes, title) in enumerate(zip(panels, titles, strict=False)):
        draw(axes, [row for row in rows if row.labels[0] == title])
        axes.set_title(f"{ascii_lowercase[i % 26]}  {title}")
    return figure, panels


def _curves(axes: Axes, rows: Sequence[Row]) -> None:
    for row in sorted(rows, key=lambda row: MODEL_STYLE[row.labels[1]]):
        draw_curve(axes, row, "validation_accuracy", style=MODEL_STYLE[row.labels[1]], label=row.labels[1])
    axes.set_xlabel("Epoch")
    percent_axis([axes], "Validation accuracy")


def _matrix(axes: Axes, rows: Sequence[Row]) -> None:
    runs = [run for row in rows for run in row.runs]
    draw_matrix(axes, counts(runs), runs[0].test.classes)
    axes.set_xlabel("Predicted")


def _meanings(dataset: Dataset) -> str:
    named = zip(letters(dataset.classes), dataset.classes, strict=True)
    return f"{dataset.title}: {', '.join(f'{letter} {cell}' for letter, cell in named)}"


def _drawn(number: str, title: str, caption: str, figure: Figure, rows: Sequence[Row]) -> Drawn:
    trials = ids([run for row in rows for run in row.runs])
    return Drawn(number, title, caption, figure, trials=trials)
