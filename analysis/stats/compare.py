"""Compare each cell of a table with the best of its column, by the model of the rows that share its test images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import combinations

import numpy as np

from analysis.stats.chance import ALPHA, Chance, critical, freedom, normal, student
from analysis.stats.error import Error
from analysis.stats.model import Model
from analysis.stats.power import Limits, WorseRow
from analysis.stats.predictions import RowPredictions
from analysis.tables.fill import Filled, Row, Score

Labels = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A cell compared with the best of its column."""

    row: Row
    best: Row
    column: int
    value: float
    """The difference, as a share in [-1, 0]."""
    error: Error
    adjusted: float
    """In how many tables of equally good rows some difference in the table is as large, over images and seeds."""
    as_networks: float | None
    """The same over images alone, where a row has one seed: then only its trained networks can be compared."""
    corrected_reach: float
    """Half the width of the corrected 95 % interval, which excludes 0 exactly if the row is worse, or its network."""
    detectable: float
    """The minimum detectable difference, as a share; infinite where none is."""

    @property
    def worse(self) -> bool:
        """Whether the row's method is shown to be worse; one seed cannot show it."""
        return self.as_networks is None and self.adjusted < ALPHA

    @property
    def worse_network(self) -> bool:
        return self.as_networks is not None and self.as_networks < ALPHA

    @property
    def p(self) -> float:
        """Of this comparison alone, over images and seeds."""
        return self.error.p(self.value)


@dataclass(frozen=True, eq=False)
class Block:
    """Rows of a table that were tested on the same images."""

    labels: tuple[Labels, ...]
    model: Model
    best_within: int
    seed: int
    """Of the tables that are drawn."""

    @cached_property
    def groups(self) -> list[list[int]]:
        """Indices of the rows that compete with each other."""
        heads = [labels[: self.best_within] for labels in self.labels]
        return [[i for i, other in enumerate(heads) if other == head] for head in dict.fromkeys(heads)]

    def group(self, i: int) -> list[int]:
        return next(group for group in self.groups if i in group)

    def chance(self, *, fixed: bool) -> Chance:
        return Chance(replace(self.model, fixed=fixed), self.groups, seed=self.seed)


def blocks(filled: Filled, called: Mapping[Labels, RowPredictions]) -> list[Block]:
    """The rows that have predictions, by their test images."""
    keys = list(dict.fromkeys(column.key for column in filled.table.columns if not column.on))
    alike: dict[tuple[str, bytes], list[Labels]] = {}
    for labels, one in called.items():
        alike.setdefault((one.config.dataset.name, one.images.ids.tobytes()), []).append(labels)
    found = []
    for group in alike.values():
        images = called[group[0]].images
        if names := [key for key in keys if images.has(key)]:
            model = Model(images, [called[labels].called for labels in group], names)
            found.append(Block(tuple(group), model, filled.table.best_within, seed=len(found)))
    return found


class Chances:
    """How rare the differences of a table are if rows are equally good, over all pairs and columns.

    Free step-down max-t (Westfall & Young 1993): a difference competes with those that are not larger than it.
    """

    def __init__(self, blocks: Sequence[Block], *, fixed: bool) -> None:
        self.each = {block: block.chance(fixed=fixed) for block in blocks}
        pairs = [(block, *pair) for block in blocks for group in block.groups for pair in combinations(group, 2)]
        found = {(*pair, name): self._deviate(*pair, name) for pair in pairs for name in pair[0].model.names}
        self._drawn = drawn = {pair: self.each[pair[0]].deviates(*pair[1:]) for pair in pairs}
        draws = len(next(iter(drawn.values())))
        largest, p, limits = np.zeros(draws, np.float32), {}, {}
        for block, i, j, name in sorted(found, key=found.__getitem__):
            one = block, i, j, name
            np.maximum(largest, drawn[block, i, j][:, block.model.names.index(name)], out=largest)
            p[one] = float(1 + (largest >= found[one] - 1e-6).sum()) / (draws + 1)
            limits[one] = critical(largest)
        ordered = list(reversed(p))
        self._adjusted = dict(zip(ordered, np.maximum.accumulate([p[one] for one in ordered]), strict=True))
        stop = next((limits[one] for one in ordered if p[one] >= ALPHA), np.nan)
        self._detected = cache(self._detectable)
        self._limits = {one: limits[one] if self._adjusted[one] < ALPHA else stop for one in ordered}

    def _deviate(self, block: Block, i: int, j: int, name: str) -> float:
        value, error = self.each[block].model.difference(i, j, name)
        return float(normal(np.array(abs(value) / error.sd), _freedom(error)))

    def adjusted(self, block: Block, i: int, j: int, name: str) -> float:
        """In how many tables of equally good rows a difference competing with this one is as large."""
        return float(self._adjusted[block, min(i, j), max(i, j), name])

    def reach(self, block: Block, i: int, j: int, name: str) -> float:
        """Half the width of a difference's corrected 95 % interval: by the critical value of the step that decides it,
        so that it excludes 0 exactly if the difference is significant."""
        _, error = self.each[block].model.difference(i, j, name)
        limit = self._limits[block, min(i, j), max(i, j), name]
        return float(student(limit, _freedom(error)) * error.sd)

    def detectable(self, block: Block, i: int, name: str) -> float:
        """The minimum detectable difference of a row from all others of its group, as a share."""
        return float(self._detected(block, i)[block.model.names.index(name)])

    def _detectable(self, block: Block, i: int) -> np.ndarray:
        ours = {pair: one for pair, one in self._drawn.items() if pair[0] is block and i in pair[1:]}
        others = [one for pair, one in self._drawn.items() if pair not in ours]
        alike = self.each[block].alike
        return WorseRow(alike, i, block.group(i), Limits(list(ours.values()), others)).detectable()


def _freedom(error: Error) -> np.ndarray:
    return freedom(np.array(error.images), np.array(error.seeds), error.df)


def compare(filled: Filled, blocks: Sequence[Block]) -> list[Comparison]:
    """Compare each cell with the best of its column and group, if both rows were tested on the same images."""
    pairs = [(i, row, best) for i in range(len(filled.table.columns)) for row, best in rivals(filled, i, blocks)]
    shared = [(i, row, best, block) for i, row, best in pairs for block in blocks if _both(block, row, best)]
    if not shared:
        return []
    single = any(1 in (len(row.runs), len(best.runs)) for _, row, best, _ in shared)
    methods, networks = Chances(blocks, fixed=False), Chances(blocks, fixed=True) if single else None
    return [_compared(filled, *one, methods, networks) for one in shared]


def _both(block: Block, row: Row, best: Row) -> bool:
    return {row.labels, best.labels} <= set(block.labels)


def _compared(
    filled: Filled, column: int, row: Row, best: Row, block: Block, methods: Chances, networks: Chances | None
) -> Comparison:
    name = filled.table.columns[column].key
    i, j = block.labels.index(row.labels), block.labels.index(best.labels)
    value, error = block.model.difference(i, j, name)
    single = networks if 1 in (len(row.runs), len(best.runs)) else None
    return Comparison(
        row=row,
        best=best,
        column=column,
        value=value,
        error=error,
        adjusted=methods.adjusted(block, i, j, name),
        as_networks=single.adjusted(block, i, j, name) if single else None,
        corrected_reach=(single or methods).reach(block, i, j, name),
        detectable=np.inf if single else methods.detectable(block, i, name),
    )


def rivals(filled: Filled, column: int, blocks: Sequence[Block] = ()) -> Iterator[tuple[Row, Row]]:
    """Each row whose number is not the best of its group, paired with a row whose number is.

    With one of its own block, if there is one.
    """
    best: dict[Labels, list[Row]] = {}
    for row in filled.rows:
        if row.cells[column].best:
            best.setdefault(row.labels[: filled.table.best_within], []).append(row)
    for row in filled.rows:
        ones = best.get(row.labels[: filled.table.best_within], [])
        if ones and row.cells[column].mean is not None and not row.cells[column].best:
            comparable = (one for one in ones if any(_both(block, row, one) for block in blocks))
            yield row, next(comparable, ones[0])


def mark(filled: Filled, comparisons: Sequence[Comparison]) -> Filled:
    """Mark every cell that is not shown to be worse than the best; so are cells that could not be tested."""
    told = {(one.row.labels, one.column): one for one in comparisons}
    behind = {(row.labels, i) for i in range(len(filled.table.columns)) for row, _ in rivals(filled, i)}

    def marked(row: Row, i: int) -> Score:
        one = told.get((row.labels, i))
        network = bool(one and one.worse_network)
        tied = (row.labels, i) in behind and not network and not (one and one.worse)
        return replace(row.cells[i], tied=tied, worse_network=network)

    rows = [replace(row, cells=tuple(marked(row, i) for i in range(len(row.cells)))) for row in filled.rows]
    return replace(filled, rows=tuple(rows))
