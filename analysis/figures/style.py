"""One style for all figures: readable in greyscale, by colour-blind readers, and at the width of a page."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.tables.fill import Filled, Row
from analysis.tables.notes import REHEARSAL_NOTE, marked
from search_spaces.paper import MODELS
from study.plan import RunRecord
from wbc_model.choices import CELLS

WIDTH = 6.5
"""Width of a page's text, in inches."""

INK, SOFT, RULE, WARN = "#1c1c1c", "#595959", "#c8c8c8", "#8a1c1c"
COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
"""Okabe and Ito's palette for colour-blind readers; dashes and markers distinguish lines in greyscale."""
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3)), (0, (2, 3)))
MARKERS = "osD^vPX*"
MODEL_STYLE = {name: i for i, name in enumerate(sorted(MODELS, key="Our model".__ne__))}
"""Index of the colour, dashes and marker of each compared model, the same in all figures."""
CELL_STYLE = {name: i for i, name in enumerate(CELLS)}
"""Index of the colour and dashes of each cell type, the same in all figures and panels."""
OVER = 0.02
"""How far an axis may pass 100 %, as a share of its length: less than the step from tick to tick."""
HEAT = "cividis"
"""A colour map of increasing lightness, readable in greyscale."""

RC = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.handlelength": 3,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
}


class CannotDraw(LookupError):
    """A figure lacks what it shows; the message says what it needs."""


@dataclass(frozen=True)
class Drawn:
    """A figure and its caption."""

    number: str
    title: str
    caption: str
    """What it shows, how to read it, and what is missing."""
    figure: Figure
    rehearsal: bool = False
    trials: tuple[str, ...] = field(default=())
    """Ids of the trials it shows."""

    @property
    def heading(self) -> str:
        """The title, marked if it is a rehearsal."""
        return marked(self.title, rehearsal=self.rehearsal)

    @property
    def label(self) -> str:
        """The text of a link to it."""
        return f"Figure {self.number}" if self.number.isdecimal() else self.number.capitalize()


@contextmanager
def styled() -> Iterator[None]:
    """Figures made and saved in this context have the style, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


def canvas(height: float, *, width: float = WIDTH) -> Figure:
    """An empty figure `height` inches high, made without pyplot so that none is left open."""
    return Figure(figsize=(width, height), layout="constrained")


def warn_of_rehearsal(figure: Figure) -> None:
    """Write a warning across the top, so that the picture is never taken for the paper's."""
    size = 7.5 * min(1, figure.get_figwidth() / WIDTH)
    figure.suptitle(REHEARSAL_NOTE, color=WARN, fontsize=size, fontweight="bold")


def rows_of(tables: Mapping[str, Filled], number: str) -> list[Row]:
    """The rows of a table that have runs.

    Raises:
        CannotDraw: the table is not printed, or has no run.
    """
    if number not in tables:
        raise CannotDraw(f"it shows rows of Table {number}, which is not printed")
    rows = [row for row in tables[number].rows if row.runs]
    if not rows:
        raise CannotDraw(f"it shows rows of Table {number}, which has no finished run")
    return rows


def ids(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    return tuple(run.trial.id for run in runs)


def seeds_note(rows: Sequence[Row], *, band: str) -> str:
    """A sentence that says what a line and its band show."""
    counts = sorted({len(row.runs) for row in rows})
    if counts == [1]:
        return "One seed."
    return f"Lines: mean over {' to '.join(map(str, (counts[0], counts[-1])[: len(counts)]))} seeds; bands: {band}."


def shared_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend below all panels, with the lines of any; compared models and cell types come in their usual order."""
    order = MODEL_STYLE | CELL_STYLE
    found = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    labels = sorted(found, key=lambda label: order.get(label, 0))
    figure.legend([found[label] for label in labels], labels, loc="outside lower center", ncols=6, columnspacing=1)


def percent_axis(panels: Sequence[Axes], label: str) -> None:
    """Label the first panel's y axis, and let the axis of none pass 100 % by more than a line's width.

    For panels in which all is drawn: their limits no longer follow the data.
    """
    panels[0].set_ylabel(f"{label} (%)")
    for axes in panels:
        bottom, top = axes.get_ylim()
        axes.set_ylim(bottom, min(top, 100 + OVER * (100 - bottom)))
