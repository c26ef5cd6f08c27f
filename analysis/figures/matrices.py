"""Confusion matrices (Fig. 7)."""

from collections.abc import Mapping, Sequence
from string import ascii_lowercase

import numpy as np
from matplotlib.axes import Axes

from analysis.figures.style import HEAT, INK, CannotDraw, Drawn, canvas, ids, rows_of
from analysis.tables.fill import Filled
from study.plan import RunRecord
from wbc_model.choices import Attention
from wbc_model.datasets.dataset import letters
from wbc_model.models import TwoBranch

SHOWN = {Attention.CHANNEL: "CAM", Attention.CSAM: "CSAM", Attention.SCAM: "SCAM"}


def figure_7(tables: Mapping[str, Filled]) -> Drawn:
    """CAM, CSAM and SCAM on LDWBC's test set."""
    runs = {
        SHOWN[row.config.model.attention]: row.runs
        for row in rows_of(tables, "5")
        if isinstance(row.config.model, TwoBranch) and row.config.model.attention in SHOWN
    }
    if not runs:
        raise CannotDraw("it shows CAM, CSAM and SCAM of Table 5, none of which has a finished run")
    figure = canvas(2.6)
    panels = np.atleast_1d(figure.subplots(1, len(runs)))
    for i, (axes, (name, of)) in enumerate(zip(panels, runs.items(), strict=True)):
        draw_matrix(axes, counts(of), of[0].test.classes)
        axes.set_title(f"{ascii_lowercase[i]}  {name}")
        axes.set_xlabel("Predicted")
    panels[0].set_ylabel("True")
    lost = [name for name in SHOWN.values() if name not in runs]
    absent = f" Not shown, because finished runs are missing: {', '.join(lost)}." if lost else ""
    seeds = max(len(of) for of in runs.values())
    summed = f", summed over {seeds} seeds" if seeds > 1 else ""
    return Drawn(
        "7",
        "Confusion matrices on LDWBC's test set",
        f"Counts of test images{summed}; colour: share of the images of the true class. Cell types: B basophil, "
        f"M monocyte, E eosinophil, N neutrophil, L lymphocyte.{absent}",
        figure,
        trials=ids([run for of in runs.values() for run in of]),
    )


def counts(runs: Sequence[RunRecord]) -> np.ndarray:
    """The confusion matrix (true, predicted), summed over runs."""
    return np.sum([run.test.counts for run in runs], axis=0)


def draw_matrix(axes: Axes, matrix: np.ndarray, classes: Sequence[str]) -> None:
    """Draw counts in squares coloured by their share of the row."""
    shares = matrix / matrix.sum(1, keepdims=True).clip(min=1)
    axes.imshow(shares, cmap=HEAT, vmin=0, vmax=1)
    for (i, j), count in np.ndenumerate(matrix):
        axes.text(
            j, i, f"{count:,}", ha="center", va="center", fontsize=7, color="white" if shares[i, j] < 0.6 else INK
        )
    axes.set_xticks(range(len(classes)), letters(classes))
    axes.set_yticks(range(len(classes)), letters(classes))
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
