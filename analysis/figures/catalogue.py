"""All figures: draw each that can be drawn, and write it as PDF, PNG and a LaTeX environment with its caption."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis.figures.architecture import figure_3
from analysis.figures.cost import figure_cost
from analysis.figures.curves import figure_6, figure_8, figure_9
from analysis.figures.data import figure_4
from analysis.figures.matrices import figure_7
from analysis.figures.own import figure_curves, figure_matrices
from analysis.figures.pictures import figure_2, figure_5, figure_10
from analysis.figures.style import CannotDraw, Drawn, styled, warn_of_rehearsal
from analysis.output.latex import comments
from analysis.output.latex_text import escape
from analysis.runs.manifests import Manifest
from analysis.runs.reading import Reading
from analysis.tables.fill import Filled
from analysis.tables.notes import REHEARSAL_NOTE
from wbc_model.datasets.dataset import Dataset
from wbc_model.plain_text import printable

SUFFIXES = (".pdf", ".png", ".tex")
"""Of the files of a figure."""
ENVIRONMENT = r"""\begin{figure}[tbp]
\centering
\includegraphics[width=\linewidth,height=0.85\textheight,keepaspectratio]{figure_%(number)s.pdf}
\caption{%(caption)s}
\label{fig:%(number)s}
\end{figure}
"""


def draw(
    tables: Mapping[str, Filled], reading: Reading, *, manifests: Mapping[Dataset, Manifest], data: Path | None
) -> tuple[list[Drawn], dict[str, str]]:
    """The figures that can be drawn, and by number, why each of the others cannot."""
    paper: dict[str, Callable[[], Drawn]] = {
        "2": lambda: figure_2(data),
        "3": lambda: figure_3(tables),
        "4": lambda: figure_4(manifests),
        "5": lambda: figure_5(data),
        "6": lambda: figure_6(tables),
        "7": lambda: figure_7(tables),
        "8": lambda: figure_8(tables),
        "9": lambda: figure_9(tables),
        "10": lambda: figure_10(tables, reading),
    }
    own: dict[str, Callable[[], Drawn]] = {
        "curves": lambda: figure_curves(tables),
        "matrices": lambda: figure_matrices(tables),
    }
    only_own = all(number.startswith("D") for number in tables)
    makers = ({} if only_own else paper) | (own if "D1" in tables else {}) | {"cost": lambda: figure_cost(tables)}
    rehearsal = any(filled.rehearsal for filled in tables.values())
    drawn: list[Drawn] = []
    impossible: dict[str, str] = {}
    with styled():
        for number, make in makers.items():
            try:
                drawn.append(replace(make(), rehearsal=rehearsal))
            except CannotDraw as error:
                impossible[number] = str(error)
    return drawn, impossible


def save(drawn: list[Drawn], out: Path) -> None:
    """Write `figure_<number>.pdf`, `.png` and `.tex`, and delete the files of figures that were not drawn this time."""
    written: set[Path] = set()
    with styled():
        for each in drawn:
            name = save_figure(each, out)
            written |= {out / f"{name}{suffix}" for suffix in SUFFIXES}
    for stale in {*out.glob("figure_*")} - written:
        stale.unlink()


def save_figure(drawn: Drawn, out: Path) -> str:
    """Write one figure in each format; returns its files' name without a suffix."""
    if drawn.rehearsal:
        warn_of_rehearsal(drawn.figure)
    name = f"figure_{drawn.number}"
    _save(drawn.figure, out / name)
    (out / f"{name}.tex").write_text(environment(drawn), encoding="utf-8")
    return name


def environment(drawn: Drawn) -> str:
    """A LaTeX `figure` environment, for `\\input`."""
    words = [f"{drawn.heading}.", drawn.caption, *([REHEARSAL_NOTE] if drawn.rehearsal else [])]
    caption = escape(" ".join(words))
    trials = ", ".join(drawn.trials) or "none"
    environment = ENVIRONMENT % {"number": drawn.number, "caption": caption}
    return comments([f"Needs the package graphicx. Trials: {trials}"]) + environment


def _save(figure: Figure, stem: Path) -> None:
    """Save as PDF and PNG without dates, so that drawing twice gives equal files."""
    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text(), keep="\n"))
    figure.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None, "Creator": None, "Producer": None})
    figure.savefig(stem.with_suffix(".png"), metadata={"Software": None})
