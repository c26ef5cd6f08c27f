"""The cost of accuracy: the test accuracy of each model against the time that its training takes."""

from collections.abc import Mapping
from string import ascii_lowercase

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from analysis.figures.style import (
    COLOURS,
    MARKERS,
    MODEL_STYLE,
    CannotDraw,
    Drawn,
    canvas,
    ids,
    percent_axis,
    shared_legend,
)
from analysis.tables.fill import Filled, Row
from wbc_model.datasets.dataset import Dataset

MOST = 4
"""Ticks of a time axis."""


def figure_cost(tables: Mapping[str, Filled]) -> Drawn:
    """Accuracy of the six compared models on each dataset against the time of one training."""
    rows: dict[tuple[Dataset, str], Row] = {}
    for number in ("12", "11", "D1"):
        for row in tables[number].rows if number in tables else ():
            if row.runs:
                rows[row.config.dataset, row.labels[1]] = row
    if not rows:
        raise CannotDraw("it shows rows of Tables 11 and 12, of which none has a finished run")
    datasets = list(dict.fromkeys(dataset for dataset, _ in rows))
    unit, seconds = _unit([run.seconds for row in rows.values() for run in row.runs])
    figure = canvas(2.6)
    panels = list(np.atleast_1d(figure.subplots(1, len(datasets))))
    for i, (axes, dataset) in enumerate(zip(panels, datasets, strict=True)):
        for name, style in MODEL_STYLE.items():
            if (dataset, name) in rows:
                runs = rows[dataset, name].runs
                times = [run.seconds / seconds for run in runs]
                scores = [100 * run.test.accuracy for run in runs]
                look = {"color": COLOURS[style], "marker": MARKERS[style], "linestyle": "none", "clip_on": False}
                axes.plot(times, scores, markersize=3, alpha=0.4, **look) if len(runs) > 1 else None
                axes.plot(np.mean(times), np.mean(scores), markersize=6, label=name, **look)
        axes.margins(0.12)
        axes.set_xscale("log")
        axes.set_xticks(ticks(*axes.get_xlim()))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(f"{unit.capitalize()} per training")
        axes.set_title(f"{ascii_lowercase[i]}  {dataset.title}")
        axes.tick_params(axis="both", labelsize=6.5)
    percent_axis(panels, "Test accuracy")
    shared_legend(figure, panels)
    devices = sorted({run.provenance.get("device", "?") for row in rows.values() for run in row.runs})
    return Drawn(
        "cost",
        "Test accuracy against the cost of a training",
        f"Time of training and evaluation, all attempts included, on {', '.join(devices)}. Large "
        "markers: mean over seeds; small markers: single seeds.",
        figure,
        trials=ids([run for row in rows.values() for run in row.runs]),
    )


def ticks(low: float, high: float) -> list[float]:
    """At most MOST round numbers between two times, for a logarithmic axis: a panel is too narrow for more."""
    logs = [LogLocator(subs=subs) for subs in ((1, 2, 5), (1, 3), (1,))] + [LogLocator(numticks=MOST)]
    locators = [*(logs if high >= 4 * low else ()), MaxNLocator(MOST - 1)]
    within = [[float(x) for x in one.tick_values(low, high) if low <= x <= high] for one in locators]
    return next((each for each in within if 2 <= len(each) <= MOST), within[-1][:MOST])


def _unit(seconds: list[float]) -> tuple[str, int]:
    """The largest unit of time that the longest training reaches, and its length in seconds."""
    units = {"hours": 3600, "minutes": 60, "seconds": 1}
    return next(((name, size) for name, size in units.items() if max(seconds) >= size), ("seconds", 1))
