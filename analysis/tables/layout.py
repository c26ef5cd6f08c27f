"""A table as boxes, before it is LaTeX, Markdown or HTML: what spans what, what is bold, where a rule goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from analysis.runs.fingerprints import told
from analysis.tables.fill import NOT_APART, TICK, Filled, Score
from analysis.tables.notes import footnotes, groups_begin, notes, repeats, title
from search_spaces.table import Table


@dataclass(frozen=True, kw_only=True)
class GridCell:
    """One box; a box over several columns or rows takes the place of those it covers."""

    text: str
    bold: bool = False
    mark: str = ""
    """Raised, behind the text."""
    across: int = 1
    down: int = 1


GridRow = tuple[GridCell | None, ...]
"""As many as there are columns; None where a box to the left or above covers."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A printed table."""

    number: str
    title: str
    head: tuple[GridRow, ...]
    body: tuple[GridRow, ...]
    labels: int
    """How many columns, from the left, name the row; the others hold numbers."""
    centred: frozenset[int]
    """Columns of ticks."""
    rules: frozenset[int] = frozenset()
    """Body lines above which a rule goes."""
    gaps: frozenset[int] = frozenset()
    """Body lines above which a little room is left."""
    notes: tuple[str, ...]
    made_from: tuple[str, ...] = ()
    """The trials behind it, for a comment in the file."""


def grid(filled: Filled) -> Grid:
    """A table of scores in the paper's layout."""
    table, rules = filled.table, {i for i, begins in enumerate(groups_begin(filled)) if begins}
    return Grid(
        number=table.number,
        title=title(filled),
        head=head(table.heads or (table.stub,), [column.label for column in table.columns]),
        body=tuple(_body(filled)),
        labels=len(table.stub),
        centred=ticks(table),
        rules=frozenset(rules),
        gaps=frozenset(_gaps(repeats(filled)) - rules),
        notes=tuple(notes(filled)),
        made_from=tuple(f"{filled.describe(row)}: {told(run)}" for row in filled.rows for run in row.runs),
    )


def ticks(table: Table) -> frozenset[int]:
    """The columns of labels that hold nothing but ticks."""
    return frozenset(i for i, column in enumerate(zip(*table.rows, strict=True)) if set(column) <= {TICK, ""})


def _gaps(again: Sequence[bool]) -> set[int]:
    """Where a run of rows with one label begins or ends."""
    return {i for i in range(1, len(again)) if not again[i] and (again[i - 1] or any(again[i + 1 : i + 2]))}


def head(levels: Sequence[Sequence[str]], columns: Sequence[str]) -> tuple[GridRow, ...]:
    """Headings: equal neighbours of the upper levels share a box, one that is alone reaches down to the numbers."""
    lines = [[*_merged(level), *(None for _ in columns)] for level in levels]
    lines[0][len(levels[0]) :] = [GridCell(text=label, down=len(levels)) for label in columns]
    return tuple(map(tuple, lines))


def _merged(labels: Sequence[str]) -> list[GridCell | None]:
    runs = [(label, len(list(run))) for label, run in groupby(labels)]
    return [box for label, n in runs for box in (GridCell(text=label, across=n), *[None] * (n - 1))]


def _body(filled: Filled) -> list[GridRow]:
    again, marks = repeats(filled), footnotes(filled)
    return [(*_labels(filled, i, again, marks), *map(_score, row.cells)) for i, row in enumerate(filled.rows)]


def _score(cell: Score) -> GridCell:
    return GridCell(text=str(cell), bold=cell.best, mark=NOT_APART if cell.not_apart else "")


def _labels(
    filled: Filled, i: int, again: Sequence[bool], marks: Mapping[tuple[str, ...], str]
) -> list[GridCell | None]:
    """A label that the rows below repeat is one box over them, as is one with nothing to its left, not even a head."""
    row = filled.rows[i]
    note = marks.get(row.labels, "")
    last = max(k for k, label in enumerate(row.labels) if label)
    boxes: list[GridCell | None] = [GridCell(text=label, mark=note * (k == last)) for k, label in enumerate(row.labels)]
    if not filled.table.stub[0] and not row.labels[0]:
        boxes[:2] = [GridCell(text=row.labels[1], across=2, mark=note), None]
    elif again[i]:
        boxes[0] = None
    elif len(boxes) > 1:
        boxes[0] = GridCell(text=row.labels[0], down=1 + _run(again[i + 1 :]))
    return boxes


def _run(again: Sequence[bool]) -> int:
    return next((n for n, repeat in enumerate(again) if not repeat), len(again))
