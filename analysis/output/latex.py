"""Tables as LaTeX, for a document that uses `PACKAGES`."""

from collections.abc import Iterable, Iterator, Sequence

from analysis.output.latex_text import escape, untypesettable
from analysis.output.references import CITED, MACRO
from analysis.tables.layout import Cells, LayoutCell, TableLayout
from wbc_model.plain_text import printable

PACKAGES = "amssymb,booktabs,graphicx,multirow,rotating"

DOCUMENT = rf"""\documentclass[a4paper]{{article}}
\usepackage[utf8]{{inputenc}}
\usepackage[margin=25mm]{{geometry}}
\usepackage{{{PACKAGES}}}
\newcommand{{\methodcite}}[1]{{}} %% without this line, \cite{{...}} of references.bib
\begin{{document}}
%s
\end{{document}}
"""

GENERAL = r"""\providecommand{\generalnote}[1]{\ifcsname note:\detokenize{#1}\endcsname
\edef\noted{\csname note:\detokenize{#1}\endcsname}%
\ifcsname seen:\noted\endcsname\else
\expandafter\let\csname seen:\noted\endcsname\noted
\edef\othertables{\ifdefined\othertables\othertables, \fi Table\noexpand~\noted}\fi
\else\expandafter\xdef\csname note:\detokenize{#1}\endcsname{\thetable}#1\par\fi}
\providecommand{\othernotes}{\ifdefined\othertables See also the notes of \othertables.\fi}
"""
"""Macros that print a note under the first table that has it, and under another name each table that has its notes."""

MARKED, MARKED_LAST = r"@{\hspace{12pt}}", r"@{\hspace{0.6em}}"
"""The space after a column with marks: the usual one, also where other columns have less, and room for those of the
last, which would stick out beyond the rules. Marks have no width of their own, so that numbers stay aligned."""

TABLE = r"""\ifdefined\tablebox\else\newsavebox{\tablebox}\fi
\begingroup
\def\settable#1{\sbox{\tablebox}{#1\begin{tabular}{@{}%(columns)s}
\toprule
%(body)s
\bottomrule
\end{tabular}}}%%
\settable{\small}%%
\ifdim\wd\tablebox>\textwidth\settable{\footnotesize\setlength{\tabcolsep}{4pt}}\fi
\ifdim\wd\tablebox>\textwidth\settable{\footnotesize\setlength{\tabcolsep}{2pt}}\fi
\edef\float{\ifdim0.875\wd\tablebox>\textwidth sidewaystable*\else table\ifdim\wd\tablebox>\columnwidth *\fi\fi}%%
\expandafter\begin\expandafter{\float}[tbp]
\centering
\caption{%(title)s}
\label{tab:%(number)s}
\smallskip
\resizebox{\ifdim\wd\tablebox>\linewidth\linewidth\else\wd\tablebox\fi}{!}{\usebox{\tablebox}}
\par\medskip
\begin{minipage}{\linewidth}
\footnotesize\raggedright
%(notes)s
\end{minipage}
\expandafter\end\expandafter{\float}
\endgroup
"""
"""A table that is wider than a column spans the page. One that is wider than the page has smaller type and less space;
if it would then have to be reduced below 7 pt, it is turned."""


def render(table: TableLayout) -> str:
    """A complete `table` environment, or `table*` where it needs the width of the page."""
    width = len(table.body[0].cells)
    wants = f"wants \\usepackage{{{PACKAGES}}}"
    macros = GENERAL if table.general else ""
    body = "\n".join([*_head(table), r"\midrule", *_body(table)])
    return (
        comments([*_engine(table), wants, *table.made_from])
        + macros
        + (MACRO if r"\methodcite" in body else "")
        + TABLE
        % {
            "title": escape(table.title),
            "number": table.number,
            "columns": "".join(_alignment(table, i) + _space(table, i, last=i == width - 1) for i in range(width)),
            "body": body,
            "notes": "\n".join(_notes(table)),
        }
    )


def document(numbers: Sequence[str]) -> str:
    """A document that inputs the `table_<number>.tex` files beside it, each numbered as in the paper."""
    return DOCUMENT % "\n".join(rf"\renewcommand{{\thetable}}{{{n}}}\input{{table_{n}}}" for n in numbers)


def _notes(table: TableLayout) -> Iterator[str]:
    yield from (rf"{escape(note)}\par" for note in table.notes)
    if table.general:
        yield from (rf"\generalnote{{{escape(note)}}}" for note in table.general)
        yield r"\othernotes"


def comments(lines: Iterable[str]) -> str:
    """Lines of text as LaTeX comments."""
    return "".join(f"% {printable(line)}\n" for line in lines)


def _engine(table: TableLayout) -> list[str]:
    """What to compile a table with that pdflatex has no signs for; empty for all others."""
    cells = [cell.text for line in (*table.head, *(row.cells for row in table.body)) for cell in line if cell]
    if not (signs := untypesettable("".join([table.title, *table.notes, *table.general, *cells]))):
        return []
    return [
        "!TeX program = lualatex",
        f"pdflatex has no sign for {', '.join(f'{sign} (U+{ord(sign):04X})' for sign in signs)}: compile with lualatex "
        "or xelatex, and a font that has them (package fontspec)",
    ]


def _head(table: TableLayout) -> Iterator[str]:
    *above, lowest = _lowered(table.head)
    for line in above:
        yield _line(line, heading=True)
        spans = [(i + 1, i + cell.across) for i, cell in enumerate(line) if cell and cell.across > 1]
        yield "".join(rf"\cmidrule(lr){{{first}-{last}}}" for first, last in spans)
    yield _line(lowest, heading=True)


def _lowered(head: Sequence[Cells]) -> list[Cells]:
    """The heading lines, with the heading of a column of numbers in the last one, level with the names beside it."""
    first, last = head[0], head[-1]
    upper = [tuple(None if cell and cell.down > 1 else cell for cell in line) for line in head[:-1]]
    return [*upper, tuple(high if high and high.down > 1 else low for high, low in zip(first, last, strict=True))]


def _body(table: TableLayout) -> Iterator[str]:
    for row in table.body:
        if row.rule:
            yield r"\midrule"
        if row.gap:
            yield r"\addlinespace"
        yield _line(row.cells, heading=False)


def _line(line: Cells, *, heading: bool) -> str:
    """A line of the tabular: cells covered from the left are omitted, those covered from above are empty."""
    cells, covered = [], 0
    for column, cell in enumerate(line):
        if covered:
            covered -= 1
            continue
        covered = cell.across - 1 if cell else 0
        cells.append(_cell(cell, heading=heading, first=not column) if cell and not cell.repeated else "")
    return rf"{' & '.join(cells)} \\"


def _cell(cell: LayoutCell, *, heading: bool, first: bool) -> str:
    text = rf"\textbf{{{escape(cell.text)}}}" if cell.bold else escape(cell.text)
    text += rf"\methodcite{{{CITED[cell.text]}}}" if cell.text in CITED and not heading else ""
    text += rf"\rlap{{\textsuperscript{{{escape(cell.mark)}}}}}" if cell.mark else ""
    across = "c" if heading else "l"
    if cell.down > 1 and not heading:
        text = rf"\multirow[t]{{{cell.down}}}{{*}}{{{text}}}"
    return rf"\multicolumn{{{cell.across}}}{{{'@{}' if first else ''}{across}}}{{{text}}}" if cell.across > 1 else text


def _alignment(table: TableLayout, column: int) -> str:
    if column >= table.labels:
        return "r"
    return "c" if column in table.centred else "l"


def _space(table: TableLayout, column: int, *, last: bool) -> str:
    """What stands after a column in place of the usual space; empty: the usual space."""
    cells = [(i, cell) for row in table.body for i, cell in enumerate(row.cells) if cell and cell.mark]
    if not any(i + cell.across - 1 == column for i, cell in cells):
        return "@{}" if last else ""
    return MARKED_LAST if last else MARKED
