"""Figures of what a laboratory asks: reliability diagrams, and ROC and precision-recall curves of each class."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from analysis.figures.own import panels_of
from analysis.figures.style import (
    CELL_STYLE,
    COLOURS,
    DASHES,
    MARKERS,
    MODEL_STYLE,
    SOFT,
    Drawn,
    ids,
    percent_axis,
    seeds_note,
    shared_legend,
)
from analysis.runs.predictions import of_record
from analysis.runs.reading import Reading
from analysis.stats.compare import Labels
from analysis.stats.laboratory import Detection, detection
from analysis.tables.fill import Filled, Row
from wbc_model.inference.calibration import BINS, bins_of
from wbc_model.scoring.predictions import Predictions

FEW = 10
"""Images; a bin with fewer is not drawn."""
RARE = np.geomspace(1e-3, 1, 201)
"""Shares of other images, where the ROC curves of seeds are averaged; the axis is logarithmic."""
SHARES = np.linspace(0, 1, 201)
"""Recalls, where the precision-recall curves of seeds are averaged."""
BAND = "their range"
Kept = Mapping[Labels, Sequence[Predictions]]
"""The predictions of each seed of a row, by its labels."""


def figures(filled: Filled, reading: Reading) -> list[Drawn]:
    """Those of a table of the compared models, of its rows whose predictions are kept, one panel a dataset."""
    found = {
        row.labels: [of_record(run, reading.predictions) for run in row.runs]
        for row in filled.rows
        if row.runs and len(row.labels) > 1 and row.labels[1] in MODEL_STYLE
    }
    kept = {labels: [one for one in each if one] for labels, each in found.items() if all(each)}
    rows = [row for row in filled.rows if row.labels in kept]
    ours = [row for row in rows if row.labels[1] == "Our model"]
    makers = [(_reliability, rows), (_roc, ours), (_precision_recall, ours)]
    return [make(filled, shown, kept) for make, shown in makers if shown]


def _reliability(filled: Filled, rows: Sequence[Row], kept: Kept) -> Drawn:
    def draw(axes: Axes, shown: Sequence[Row]) -> None:
        axes.plot((0, 100), (0, 100), color=SOFT, linewidth=0.8, linestyle=":")
        for row in sorted(shown, key=lambda row: MODEL_STYLE[row.labels[1]]):
            style = MODEL_STYLE[row.labels[1]]
            sure, right = _bins(kept[row.labels])
            axes.plot(sure, right, label=row.labels[1], color=COLOURS[style], marker=MARKERS[style],
                      linestyle=DASHES[style % len(DASHES)])  # fmt: skip
        axes.set_xlabel("Probability of the call (%)")
        percent_axis([axes], "Calls that are right")

    caption = (
        f"Calls in {BINS} bins of equal width of their uncalibrated probability, all seeds together; bins of fewer "
        f"than {FEW} images are left out. Below the dotted diagonal a model is surer than it is right."
    )
    return _drawn("reliability", "Reliability of the compared models", caption, filled, rows, draw)


def _bins(seeds: Sequence[Predictions]) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability of the calls and share of right ones, in percent, of each bin that has enough images."""
    sure = np.concatenate([one.probabilities.max(1) for one in seeds])
    right = np.concatenate([one.called == one.truth for one in seeds])
    bins = bins_of(sure)
    size, total, hits = (np.bincount(bins, weights=each, minlength=BINS) for each in (np.ones_like(sure), sure, right))
    enough = size >= FEW
    return 100 * total[enough] / size[enough], 100 * hits[enough] / size[enough]


def _roc(filled: Filled, rows: Sequence[Row], kept: Kept) -> Drawn:
    def at(found: Detection) -> np.ndarray:
        return found.recall[np.searchsorted(found.false_positives, RARE, side="right") - 1]

    def draw(axes: Axes, shown: Sequence[Row]) -> None:
        _curves(axes, [one for row in shown for one in kept[row.labels]], RARE, at)
        axes.set(xscale="log", xlabel="False-positive rate (%)")
        axes.set_xticks((0.1, 1, 10, 100), ("0.1", "1", "10", "100"))
        percent_axis([axes], "Recall")

    return _drawn("roc", "ROC curves of the proposed model", _of_classes(rows), filled, rows, draw)


def _precision_recall(filled: Filled, rows: Sequence[Row], kept: Kept) -> Drawn:
    def at(found: Detection) -> np.ndarray:
        return found.precision[np.searchsorted(found.recall, SHARES - 1e-9, side="left")]

    def draw(axes: Axes, shown: Sequence[Row]) -> None:
        _curves(axes, [one for row in shown for one in kept[row.labels]], SHARES, at)
        axes.set_xlabel("Recall (%)")
        percent_axis([axes], "Precision")

    return _drawn("pr", "Precision-recall curves of the proposed model", _of_classes(rows), filled, rows, draw)


def _curves(axes: Axes, seeds: Sequence[Predictions], x: np.ndarray, at: Callable[[Detection], np.ndarray]) -> None:
    """A line for each class that has test images: the mean over seeds, and their range as a band."""
    for label, name in enumerate(seeds[0].classes):
        found = [detection(one.probabilities, one.truth, label) for one in seeds]
        y = 100 * np.array([at(one) for one in found if one])
        if len(y):
            style = CELL_STYLE[name]
            axes.plot(100 * x, y.mean(0), label=name, color=COLOURS[style], linestyle=DASHES[style])
            axes.fill_between(100 * x, y.min(0), y.max(0), color=COLOURS[style], alpha=0.15, linewidth=0)


def _of_classes(rows: Sequence[Row]) -> str:
    return f"Each class against all others, by its probability. {seeds_note(rows, band=BAND)}"


def _drawn(
    name: str, title: str, caption: str, filled: Filled, rows: Sequence[Row],
    draw: Callable[[Axes, Sequence[Row]], None],
) -> Drawn:  # fmt: skip
    figure, panels = panels_of(rows, height=2.6, draw=draw)
    shared_legend(figure, panels)
    trials = ids([run for row in rows for run in row.runs])
    return Drawn(f"{name}-{filled.table.number}", title, caption, figure, rehearsal=filled.rehearsal, trials=trials)
