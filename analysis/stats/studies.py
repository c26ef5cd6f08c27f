"""Two studies compared cell by cell: the rows of both are those of one table, by the model of its rows."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.stats.chance import ALPHA
from analysis.stats.compare import Block, Chances
from analysis.stats.error import Error
from analysis.stats.evidence import ComparedTable
from analysis.stats.model import Model
from analysis.stats.studies_model import StudiesModel, alike
from analysis.tables.fill import Row, Score
from search_spaces.table import Column


@dataclass(frozen=True, eq=False, kw_only=True)
class Cell:
    """A cell that has a number in two studies, A and B."""

    tables: tuple[ComparedTable, ComparedTable]
    rows: tuple[Row, Row]
    columns: tuple[int, int]

    @property
    def column(self) -> Column:
        return self.tables[0].filled.table.columns[self.columns[0]]

    @property
    def scores(self) -> tuple[Score, Score]:
        return self.rows[0].cells[self.columns[0]], self.rows[1].cells[self.columns[1]]

    @property
    def single(self) -> bool:
        """Whether either has one seed, so that only trained networks can be compared."""
        return 1 in (len(row.runs) for row in self.rows)

    @cached_property
    def models(self) -> tuple[tuple[Model, int], tuple[Model, int]] | None:
        """The model that each number is in, and its row there; None if the predictions of either were not kept."""
        a, b = (one.model_of(row, self.column) for one, row in zip(self.tables, self.rows, strict=True))
        return (a, b) if a and b and all(self.column.key in model.names for model, _ in (a, b)) else None

    @cached_property
    def called_differently(self) -> float:
        """The share of test images that trainings with one seed call differently; NaN if that cannot be told."""
        seeds = [seed for seed in self.rows[0].seeds if seed in self.rows[1].seeds]
        if not self.models or not seeds or not alike(*(model.images for model, _ in self.models)):
            return np.nan
        called = [
            model.called[i][[row.seeds.index(seed) for seed in seeds]]
            for (model, i), row in zip(self.models, self.rows, strict=True)
        ]
        return float((called[0] != called[1]).mean())


@dataclass(frozen=True, kw_only=True)
class Difference:
    """B minus A of a cell."""

    value: float
    """As a share, in [-1, 1]."""
    error: Error
    adjusted: float
    """In how many pairs of equally good studies some difference is as large, over images and seeds."""
    as_networks: float | None
    """The same over images alone, where a row has one seed: then only its trained networks can be compared."""
    sd_assumed: bool
    """Whether the error over seeds rests on an assumed SD."""
    paired: bool
    """Whether both were tested on the same images."""

    @property
    def verdict(self) -> str:
        if self.as_networks is not None:
            return "networks differ" if self.as_networks < ALPHA else "not shown to differ"
        return "differ" if self.adjusted < ALPHA else "not shown to differ"


def shared(a: Sequence[ComparedTable], b: Sequence[ComparedTable]) -> list[Cell]:
    """Every cell that has a number in both studies, in the order of A's tables."""
    others = {one.filled.table.number: one for one in b}
    pairs = [(one, others[one.filled.table.number]) for one in a if one.filled.table.number in others]
    return [cell for one, other in pairs for cell in _shared(one, other)]


def _shared(a: ComparedTable, b: ComparedTable) -> Iterator[Cell]:
    rows = {row.labels: row for row in b.filled.rows}
    places = {column.path: i for i, column in enumerate(b.filled.table.columns)}
    for row in a.filled.rows:
        for i, column in enumerate(a.filled.table.columns):
            if row.labels in rows and column.path in places:
                cell = Cell(tables=(a, b), rows=(row, rows[row.labels]), columns=(i, places[column.path]))
                if all(score.mean is not None for score in cell.scores):
                    yield cell


def differences(cells: Sequence[Cell]) -> dict[Cell, Difference]:
    """B minus A of each cell whose predictions were kept; p is corrected over all of them.

    The rows of a table that share their test images are one model, those of both studies together.
    """
    blocks = _blocks(cells)
    if not blocks:
        return {}
    every = list(dict.fromkeys(blocks.values()))
    methods = Chances(every, fixed=False)
    networks = Chances(every, fixed=True) if any(cell.single for cell in blocks) else None
    return {cell: _difference(cell, block, methods, networks) for cell, block in blocks.items()}


def _difference(cell: Cell, block: Block, methods: Chances, networks: Chances | None) -> Difference:
    i, name = block.labels.index(cell.rows[0].labels), cell.column.key
    j = i + len(block.labels) // 2
    value, error = block.model.difference(j, i, name)
    return Difference(
        value=value,
        error=error,
        adjusted=methods.adjusted(block, i, j, name),
        as_networks=networks.adjusted(block, i, j, name) if networks and cell.single else None,
        sd_assumed=block.model.sd_assumed,
        paired=block.model.tests[i] is block.model.tests[j],
    )


def _blocks(cells: Iterable[Cell]) -> dict[Cell, Block]:
    """The block that holds the two rows of each cell: A's of all its rows, then B's."""
    together: dict[tuple[Model, Model], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.models:
            (a, _), (b, _) = cell.models
            together[a, b].append(cell)
    found = {}
    for n, ((a, b), group) in enumerate(together.items()):
        places = {cell.rows[0].labels: [i for _, i in cell.models or ()] for cell in group}
        called = [model.called[each[k]] for k, model in enumerate((a, b)) for each in places.values()]
        names = list(dict.fromkeys(cell.column.key for cell in group))
        model = StudiesModel(a.images, called, names, others=b.images)
        labels = tuple(places)
        block = Block((*labels, *labels), model, best_within=len(labels[0]), seed=n)
        found |= dict.fromkeys(group, block)
    return found
