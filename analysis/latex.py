"""Tables as LaTeX. They need the packages amssymb, booktabs and graphicx."""

from collections.abc import Sequence

from analysis.notes import groups_begin, notes, repeats, title
from analysis.tables import TICK, Cell, Filled

ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    | {"α": r"$\alpha$", "±": r"$\pm$", "–": "--", TICK: r"\checkmark{}"}
)

DOCUMENT = r"""\documentclass[a4paper]{article}
\usepackage[utf8]{inputenc}
\usepackage[margin=25mm]{geometry}
\usepackage{amssymb,booktabs,graphicx}
\begin{document}
%s
\end{document}
"""

TABLE = r"""\begin{table}[tbp]
\centering
\caption{%(title)s}
\label{tab:%(number)s}
\smallskip
\small
\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%%
\begin{tabular}{@{}%(columns)s@{}}
\toprule
%(body)s
\bottomrule
\end{tabular}}
\par\medskip
\begin{minipage}{\linewidth}
\footnotesize\raggedright
%(notes)s
\end{minipage}
\end{table}
"""


def render(filled: Filled) -> str:
    """A complete `table` environment."""
    table = filled.table
    head = _line([escape(heading) for heading in (*table.stub, *(column.label for column in table.columns))])
    return TABLE % {
        "title": escape(title(filled)),
        "number": table.number,
        "columns": "".join(map(_alignment, zip(*table.rows, strict=True))) + "r" * len(table.columns),
        "body": "\n".join([head, r"\midrule", *_body(filled)]),
        "notes": "\\par\n".join(map(escape, notes(filled))),
    }


def document(numbers: Sequence[str]) -> str:
    """A standalone document of `table_<number>.tex` files beside it, each under its number in the paper."""
    return DOCUMENT % "\n".join(rf"\renewcommand{{\thetable}}{{{n}}}\input{{table_{n}}}" for n in numbers)


def escape(text: str) -> str:
    """Plain text, with the few signs that our labels use, as LaTeX."""
    return text.translate(ESCAPES)


def _body(filled: Filled) -> list[str]:
    lines = []
    for row, repeat, begins in zip(filled.rows, repeats(filled), groups_begin(filled), strict=True):
        labels = ("", *row.labels[1:]) if repeat else row.labels
        lines += [r"\midrule"] if begins else []
        lines.append(_line([*map(escape, labels), *map(_cell, row.cells)]))
    return lines


def _cell(cell: Cell) -> str:
    return rf"\textbf{{{escape(str(cell))}}}" if cell.best else escape(str(cell))


def _line(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _alignment(labels: Sequence[str]) -> str:
    return "c" if set(labels) <= {TICK, ""} else "l"
