r"""`numbers.tex`: a macro for each number of the tables, so that prose quotes them: `\cell{5}{CAM}{OA}`."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import count

from analysis.output.latex_text import escape
from analysis.tables.fill import DASH
from analysis.tables.layout import TableLayout
from analysis.tables.notes import REHEARSAL_NOTE
from wbc_model.plain_text import printable

UNTYPABLE = r"[%\\{}#^]"
"""Characters that LaTeX changes or drops before a macro sees them, so that no key has them."""

HEAD = r"""% Numbers of the tables, to quote in prose: \cell{TABLE}{ROW}{COLUMN}.
% The column "quote" of cells.csv has the macro of each number, and "trials" the trials that measured it.
\makeatletter
\newcommand{\cell}{}% fails if another package has a \cell
\DeclareRobustCommand{\cell}[3]{\@ifundefined{cell:\detokenize{#1/#2/#3}}%
  {\textbf{??}\PackageError{numbers.tex}{no number \detokenize{#1, #2, #3}}{cells.csv lists all.}}%
  {\@nameuse{cell:\detokenize{#1/#2/#3}}}}
\newcommand{\cell@is}[4]{\global\@namedef{cell:\detokenize{#1/#2/#3}}{#4}}
"""


def render(tables: Sequence[TableLayout], *, rehearsal: bool) -> str:
    """The file, with a definition for each cell that has a number; to quote another is an error.

    Args:
        rehearsal: whether each number carries a mark in the text, so that none is taken for the paper's.
    """
    start = [f"% {REHEARSAL_NOTE}"] if rehearsal else []
    lines = [line for table in tables for line in _definitions(table, rehearsal=rehearsal)]
    return "\n".join([*start, HEAD, *lines, r"\makeatother", ""])


def _definitions(table: TableLayout, *, rehearsal: bool) -> list[str]:
    numbers = [cell.text if cell else "" for row in table.body for cell in row.cells[table.labels :]]
    last = [["", *(cell.text for cell in row.cells[: table.labels] if cell and cell.text)][-1] for row in table.body]
    quotes = dict(zip(quotes_of(table), numbers, strict=True))
    if len(set(last)) == len(last):
        quotes = dict(zip(_quotes(table, last), numbers, strict=True)) | quotes
    return [
        quote.replace(r"\cell", r"\cell@is", 1) + f"{{{_typeset(number, rehearsal=rehearsal)}}}"
        for quote, number in quotes.items()
        if number not in ("", DASH)
    ]


def _typeset(number: str, *, rehearsal: bool) -> str:
    """A number for text or formulas, on one line."""
    tex = escape(number).replace(r"$\pm$", r"\ensuremath{\pm}").replace(" ", "~")
    return rf"\textit{{[rehearsal:~{tex}]}}" if rehearsal else tex


def quotes_of(table: TableLayout) -> list[str]:
    r"""What is typed for each cell of numbers, row by row, with the row in words: `\cell{5}{CD CAM}{OA}`.

    Where no two rows of a table share their last label, that is enough: `\cell{5}{CAM}{OA}`.
    """
    return _quotes(table, [row.name for row in table.body])


def _quotes(table: TableLayout, rows: Iterable[str]) -> list[str]:
    columns = [cell.text for cell in table.head[0][table.labels :] if cell]
    return [rf"\cell{{{table.number}}}{{{row}}}{{{column}}}" for row in _keys(rows) for column in _keys(columns)]


def _keys(texts: Iterable[str]) -> list[str]:
    """Texts without what cannot be typed in LaTeX; one that equals an earlier one gets a number."""
    keys: list[str] = []
    for text in texts:
        shown = re.sub(UNTYPABLE, "", printable(unicodedata.normalize("NFC", text)))
        key = " ".join(shown.split())
        keys.append(key if key not in keys else next(new for n in count(2) if (new := f"{key} ({n})") not in keys))
    return keys
