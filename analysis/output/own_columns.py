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
from analysis.tables.notes import LACKS, marked, row_notes, study_notes
from analysis.tables.tested_images import letter_notes, test_sets
from wbc_model.plain_text import printable

Texts = Callable[[Row], Sequence[str] | None]
"""Gives the cells of a row; None: it has no numbers."""


def own_columns(
    study: Study, filled: Filled, *, number: str, title: str, columns: Sequence[str], texts: Texts,
    notes: tuple[str, ...], lost: str, pooled: bool = False,
) -> TableLayout:  # fmt: skip
    """The rows of a table with other columns and the notes of its rows; dashes where a row has no numbers.

    Args:
        notes: what the columns are.
        lost: why a row that has runs has no numbers.
        pooled: whether a number is of all seeds together, and not a mean with an SD over seeds.
    """
    plain, found = lay_out(filled), {row.labels: texts(row) for row in filled.rows}
    body = [
        replace(line, cells=(*line.cells[: plain.labels], *_cells(found[row.labels], len(columns))))
        for line, row in zip(plain.body, filled.rows, strict=True)
    ]
    dashes = [f"A row of dashes: {lost}."] if any(row.runs and not found[row.labels] for row in filled.rows) else []
    lacks = [LACKS] if any(DASH in (cells or ()) for cells in found.values()) else []
    return replace(
        plain,
        number=f"{number}-{filled.table.number}",
        title=marked(f"{title} on the {test_sets(filled)}", rehearsal=study.rehearsal),
        head=head(filled.table.heads or (filled.table.stub,), columns),
        body=tuple(body),
        notes=(*notes, *row_notes(filled, pooled=pooled), *dashes),
        general=(*study_notes(filled), *lacks, *letter_notes(filled)),
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
