"""A table laid out once for LaTeX, Markdown, HTML and the report: spans, bold type, marks, and where rules go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from analysis.runs.fingerprints import provenance_line
from analysis.tables.fill import TICK, Filled, Row, Score
from analysis.tables.notes import footnotes, general_notes, groups_begin, notes, repeats, title
from search_spaces.table import Table


@dataclass(frozen=True, kw_only=True)
class LayoutCell:
    """A cell; one that spans several columns or rows takes the place of those that it covers."""

    text: str
    bold: bool = False
    mark: str = ""
    """Superscript after the text."""
    across: int = 1
    down: int = 1
    repeated: bool = False
    """Covered by the equal label above it: shown only where rows can be sorted."""
    value: Decimal | None = None
    """The mean that rows are sorted by."""
    opens: bool = False
    """Whether there are runs, finished or missing, to show behind it."""


Cells = tuple[LayoutCell | None, ...]
"""As many as there are columns; None where a cell to the left, or a heading above, covers."""


@dataclass(frozen=True, kw_only=True)
class LayoutRow:
    """A row of the body."""

    name: str
    """In words: `α 0.2`."""
    cells: Cells
    rule: bool = False
    """Whether a rule goes above it."""
    gap: bool = False
    """Whether a little room is left above it."""
    config: str = ""
    """Id of the config whose runs it shows."""
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TableLayout:
    """A printed table."""

    number: str
    title: str
    head: tuple[Cells, ...]
    body: tuple[LayoutRow, ...]
    labels: int
    """How many columns, from the left, name the row; the others hold numbers."""
    centred: frozenset[int]
    """Columns of ticks."""
    notes: tuple[str, ...]
    """Its own."""
    general: tuple[str, ...] = ()
    """Those that other tables have too, in the same words."""
    made_from: tuple[str, ...] = ()
    """Provenance, a line per trial, for a comment in the file."""

    @property
    def texts(self) -> dict[str, dict[str, str]]:
        """The text and marks of each cell of numbers, by the row's name and the column's heading."""
        headings = [cell.text for cell in self.head[0][self.labels :] if cell]
        return {row.name: dict(zip(headings, map(_said, row.cells[self.labels :]), strict=True)) for row in self.body}


def _said(cell: LayoutCell | None) -> str:
    """The text of a cell with its marks in plain characters."""
    return f"{cell.text}{' (best)' * cell.bold}{cell.mark and f' {cell.mark}'}" if cell else ""


def lay_out(filled: Filled) -> TableLayout:
    """A table of scores in the paper's layout."""
    table = filled.table
    return TableLayout(
        number=table.number,
        title=title(filled),
        head=head(table.heads or (table.stub,), [column.label for column in table.columns]),
        body=tuple(_body(filled)),
        labels=len(table.stub),
        centred=_ticks(table),
        notes=tuple(notes(filled)),
        general=tuple(general_notes(filled)),
        made_from=tuple(f"{filled.describe(row)}: {provenance_line(run)}" for row in filled.rows for run in row.runs),
    )


def _ticks(table: Table) -> frozenset[int]:
    """The columns of labels that hold nothing but ticks."""
    return frozenset(i for i, column in enumerate(zip(*table.rows, strict=True)) if set(column) <= {TICK, ""})


def _gaps(again: Sequence[bool]) -> set[int]:
    """Indices of the rows above which a run of equal first labels begins or ends."""
    return {i for i in range(1, len(again)) if not again[i] and (again[i - 1] or any(again[i + 1 : i + 2]))}


def head(levels: Sequence[Sequence[str]], columns: Sequence[str]) -> tuple[Cells, ...]:
    """Heading rows: equal neighbours share a cell, and the heading of a column of numbers spans all levels."""
    lines = [[*_merged(level), *(None for _ in columns)] for level in levels]
    lines[0][len(levels[0]) :] = [LayoutCell(text=label, down=len(levels)) for label in columns]
    return tuple(map(tuple, lines))


def _merged(labels: Sequence[str]) -> list[LayoutCell | None]:
    runs = [(label, len(list(run))) for label, run in groupby(labels)]
    return [box for label, n in runs for box in (LayoutCell(text=label, across=n), *[None] * (n - 1))]


def plain_rows(rows: Mapping[str, Sequence[str]]) -> tuple[LayoutRow, ...]:
    """Rows of one label and its numbers, without marks or spans."""
    return tuple(
        LayoutRow(name=name, cells=tuple(LayoutCell(text=text) for text in (name, *numbers)))
        for name, numbers in rows.items()
    )


def _body(filled: Filled) -> list[LayoutRow]:
    again, marks, rules = repeats(filled), footnotes(filled), groups_begin(filled)
    gaps = _gaps(again)
    return [
        LayoutRow(
            name=filled.describe(row),
            cells=(*_labels(filled, i, again, marks), *(_score(cell, row) for cell in row.cells)),
            rule=rules[i],
            gap=i in gaps and not rules[i],
            config=row.config.id,
            seeds=row.seeds,
        )
        for i, row in enumerate(filled.rows)
    ]


def _score(cell: Score, row: Row) -> LayoutCell:
    return LayoutCell(
        text=str(cell),
        bold=cell.best,
        mark=cell.mark,
        value=cell.mean,
        opens=cell.mean is not None or bool(row.missing_seeds),
    )


def _labels(
    filled: Filled, i: int, again: Sequence[bool], marks: Mapping[tuple[str, ...], str]
) -> list[LayoutCell | None]:
    """The label cells of a row.

    A first label that the rows below repeat spans them; a second label spans the first column too where that has
    neither a label nor a heading.
    """
    row = filled.rows[i]
    note = marks.get(row.labels, "")
    last = max(k for k, label in enumerate(row.labels) if label)
    cells: list[LayoutCell | None] = [
        LayoutCell(text=label, mark=note * (k == last)) for k, label in enumerate(row.labels)
    ]
    if not filled.table.stub[0] and not row.labels[0]:
        cells[:2] = [LayoutCell(text=row.labels[1], across=2, mark=note), None]
    elif again[i]:
        cells[0] = LayoutCell(text=row.labels[0], repeated=True)
    elif len(cells) > 1:
        cells[0] = LayoutCell(text=row.labels[0], down=1 + _run(again[i + 1 :]))
    return cells


def _run(again: Sequence[bool]) -> int:
    return next((n for n, repeat in enumerate(again) if not repeat), len(again))
