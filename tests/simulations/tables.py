"""Tables of simulated networks, as records or as the models of their rows alone, which is faster."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.load import Study
from analysis.stats.chance import ALPHA
from analysis.stats.compare import Block, Chances
from analysis.stats.evidence import ComparedTable, gather
from analysis.stats.images import LabelledImages
from analysis.stats.model import Model
from analysis.stats.predictions import PredictionLookup
from analysis.tables.fill import Score, fill
from search_spaces.paper import LDWBC, TABLES, vary
from search_spaces.table import OVERALL, Column, Table
from tests.simulations.worlds import World, article_errors
from wbc_model.datasets.dataset import Dataset


def rows(n: int) -> Table:
    """Table 4 with n rows."""
    configs = {(f"{i}",): vary(mixup_alpha=round(0.01 * i, 2)) for i in range(n)}
    return replace(TABLES[0], rows=configs)


def table_of(world: World, errors: np.ndarray, *, seeds: int, sd: float | np.ndarray) -> ComparedTable:
    """A compared table whose rows have these error rates (rows, classes); sd is in percentage points."""
    table = rows(len(errors))
    called = world.called(errors, seeds=seeds, sd=sd / 100)
    records, kept = world.records(dict(zip(table.rows.values(), called, strict=True)))
    return gather(fill(table, records, seeds=range(seeds)), lookup(kept, world.photographs))


def lookup(kept: dict, photographs: dict[str, str]) -> PredictionLookup:
    return PredictionLookup(lambda trial, _: kept.get(trial), photographs)


def worse(cell: Score) -> bool:
    """Whether the reader is told that the row is worse than the best of the column."""
    return cell.mean is not None and not cell.best and not cell.tied and not cell.worse_network


def study(*, seeds: int, world: int, sd: float = 0.35) -> Study:
    """A study of Tables 4-12 in which every model is as good as the article says."""
    errors, records, kept, photographs = article_errors(), [], {}, {}
    for dataset in dict.fromkeys(config.dataset for config in errors):
        here = World.of(dataset, seed=world)
        configs = [config for config in errors if config.dataset == dataset]
        called = here.called(np.array([errors[config] for config in configs]), seeds=5, sd=sd / 100)
        some, calls = here.records(dict(zip(configs, called[:, :seeds], strict=True)))
        records, kept, photographs = records + some, kept | calls, photographs | here.photographs
    found = lookup(kept, photographs)
    compared = [gather(fill(table, records, seeds=range(seeds)), found) for table in TABLES]
    return Study([one.filled for one in compared], compared, records, {}, {}, None)


def called_worse(world: World, errors: np.ndarray, *, seeds: int, sd: float | np.ndarray) -> np.ndarray:
    """Which cells a table calls worse than the best of their column (rows, scores); as `table_of`, without records."""
    if seeds == 1:
        table = table_of(world, errors, seeds=1, sd=sd).filled
        return np.array([list(map(worse, row.cells)) for row in table.rows])
    block = block_of(0, model_of(world, errors, seeds=seeds, sd=sd))
    return worse_cells(Chances([block], fixed=False), block)


def block_of(n: int, model: Model) -> Block:
    """The rows of a table on one dataset, the n-th of it."""
    return Block(tuple((str(n), str(i)) for i in range(len(model.seeds))), model, best_within=1, seed=n)


def worse_cells(chances: Chances, block: Block) -> np.ndarray:
    """Which cells are called worse than the best of their column (rows, scores)."""
    best, behind = block.model.mean.argmax(0), block.model.mean < block.model.mean.max(0)
    p = [
        [behind[i, c] and chances.adjusted(block, i, int(best[c]), name) for c, name in enumerate(block.model.names)]
        for i in range(len(behind))
    ]
    return behind & (np.array(p) < ALPHA)


def model_of(
    world: World,
    errors: np.ndarray,
    *,
    seeds: int,
    sd: float | np.ndarray,
    dataset: Dataset = LDWBC,
    columns: Sequence[Column] = OVERALL,
) -> Model:
    """The model of a table like Table 4; sd is in percentage points."""
    images = LabelledImages(world.ids, world.truth, dataset.classes, world.cells)
    called = list(world.called(errors, seeds=seeds, sd=sd / 100))
    return Model(images, called, [key for column in columns if images.has(key := column.key)])
