"""Tables with the rows of a study's table and columns of their own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

from analysis.load import Study
from analysis.output.files import formats
from analysis.output.markup import to_markdown
from analysis.tables.fill import DASH, Filled, Row
from analysis.tables.layout import LayoutCell, TableLayout, head, lay_out
from analysis.tables.notes import marked, study_notes
from wbc_model.plain_text import printable

Texts = Callable[[Row], Sequence[str] | None]
"""Gives the cells of a row; None: it has no numbers."""


def own_columns(
    study: Study, filled: Filled, *, number: str, title: str, columns: Sequence[str], texts: Texts,
    notes: tuple[str, ...],
) -> TableLayout:  # fmt: skip
    """The rows of a table with other columns; a dash in each column of a row that has no numbers."""
    plain = lay_out(filled)
    body = [
        replace(line, cells=(*line.cells[: plain.labels], *_cells(texts(row), len(columns))))
        for line, row in zip(plain.body, filled.rows, strict=True)
    ]
    return replace(
        plain,
        number=f"{number}-{filled.table.number}",
        title=marked(title, rehearsal=study.rehearsal),
        head=head(filled.table.heads or (filled.table.stub,), columns),
        body=tuple(body),
        notes=notes,
        general=tuple(study_notes(filled)),
    )


def _cells(texts: Sequence[str] | None, n: int) -> list[LayoutCell]:
    return [LayoutCell(text=text) for text in texts or [DASH] * n]


def mean_sd(numbers: Sequence[float], *, places: int) -> str:
    """The mean, and the sample standard deviation of several."""
    sd = f" ± {stdev(numbers):.{places}f}" if len(numbers) > 1 else ""
    return f"{fmean(numbers):.{places}f}{sd}"


def files_of(tables: Iterable[TableLayout]) -> dict[str, str]:
    """The text of every file of some tables, by name."""
    return {name: text for table in tables for name, text in formats(table).items()}


def write_and_print(tables: Iterable[TableLayout], files: Mapping[str, str], out: Path) -> None:
    """Write files, and print their tables in Markdown, without the comments that list the trials."""
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8", newline="")
    for table in tables:
        print(printable(to_markdown(replace(table, made_from=())).strip(), keep="\n"), end="\n\n")
