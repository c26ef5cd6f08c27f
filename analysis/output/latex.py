"""Tables as LaTeX, for a document that uses `PACKAGES`."""

from collections.abc import Iterator, Sequence

from analysis.tables.fill import NOT_APART, TICK
from analysis.tables.layout import Grid, GridCell, GridRow

ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    | {"α": r"$\alpha$", "±": r"$\pm$", "×": r"$\times$", "–": "--", TICK: r"\checkmark{}", NOT_APART: r"$\dagger$"}
)

PACKAGES = "amssymb,booktabs,graphicx,multirow"

DOCUMENT = rf"""\documentclass[a4paper]{{article}}
\usepackage[utf8]{{inputenc}}
\usepackage[margin=25mm]{{geometry}}
\usepackage{{{PACKAGES}}}
\begin{{document}}
%s
\end{{document}}
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


def render(grid: Grid) -> str:
    """A complete `table` environment."""
    width = len(grid.body[0])
    comments = "".join(f"% {line}\n" for line in (f"wants \\usepackage{{{PACKAGES}}}", *grid.made_from))
    return comments + TABLE % {
        "title": escape(grid.title),
        "number": grid.number,
        "columns": "".join(_alignment(grid, column) for column in range(width)),
        "body": "\n".join([*_head(grid), r"\midrule", *_body(grid)]),
        "notes": "\\par\n".join(map(escape, grid.notes)),
    }


def document(numbers: Sequence[str]) -> str:
    """A standalone document of `table_<number>.tex` files beside it, each under its number in the paper."""
    return DOCUMENT % "\n".join(rf"\renewcommand{{\thetable}}{{{n}}}\input{{table_{n}}}" for n in numbers)


def escape(text: str) -> str:
    """Plain text, with the few signs that our labels use, as LaTeX. Two hyphens stay two."""
    return "-{}-".join(part.translate(ESCAPES) for part in text.split("--"))


def _head(grid: Grid) -> Iterator[str]:
    for line in grid.head:
        yield _line(line, heading=True)
        spans = [(i + 1, i + box.across) for i, box in enumerate(line) if box and box.across > 1]
        if line is not grid.head[-1]:
            yield "".join(rf"\cmidrule(lr){{{first}-{last}}}" for first, last in spans)


def _body(grid: Grid) -> Iterator[str]:
    for i, line in enumerate(grid.body):
        if i in grid.rules:
            yield r"\midrule"
        if i in grid.gaps:
            yield r"\addlinespace"
        yield _line(line, heading=False)


def _line(line: GridRow, *, heading: bool) -> str:
    """A covered box is nothing beside the one that spans it, and an empty cell below it."""
    cells, covered = [], 0
    for column, box in enumerate(line):
        if covered:
            covered -= 1
            continue
        covered = box.across - 1 if box else 0
        cells.append(_box(box, at="c" if heading else "l", first=not column) if box else "")
    return rf"{' & '.join(cells)} \\"


def _box(box: GridCell, *, at: str, first: bool) -> str:
    text = rf"\textbf{{{escape(box.text)}}}" if box.bold else escape(box.text)
    text += rf"\rlap{{\textsuperscript{{{escape(box.mark)}}}}}" if box.mark else ""
    if box.down > 1:
        text = rf"\multirow[{'b' if at == 'c' else 't'}]{{{box.down}}}{{*}}{{{text}}}"
    return rf"\multicolumn{{{box.across}}}{{{'@{}' if first else ''}{at}}}{{{text}}}" if box.across > 1 else text


def _alignment(grid: Grid, column: int) -> str:
    if column >= grid.labels:
        return "r"
    return "c" if column in grid.centred else "l"
