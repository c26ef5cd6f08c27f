"""Two studies of one world: how often `python -m analysis compare` says that cells differ, without and with reason."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from analysis.stats.compare import blocks
from analysis.stats.evidence import ComparedTable
from analysis.stats.predictions import PredictionLookup, RowPredictions
from analysis.stats.studies import Difference, differences, shared
from analysis.tables.fill import fill
from search_spaces.paper import TABLES
from search_spaces.table import Table, configs
from study.plan import RunRecord
from tests.simulations.worlds import World, article_errors
from wbc_model.scoring.predictions import Predictions


class Drawn:
    """The records of a study that was drawn, and its predictions."""

    def __init__(self) -> None:
        self.records: list[RunRecord] = []
        self.predictions: dict[str, Predictions] = {}
        self.photographs: dict[str, str] = {}

    def add(self, world: World, called: dict) -> None:
        records, kept = world.records(called)
        self.records += records
        self.predictions |= kept
        self.photographs |= world.photographs

    def compared(self, tables: Sequence[Table]) -> list[ComparedTable]:
        """The tables and their models, without the comparisons of their rows, which take seconds."""
        calls = PredictionLookup(lambda trial, _: self.predictions.get(trial), self.photographs)
        found = []
        for table in tables:
            filled = fill(table, self.records, seeds=sorted({record.trial.seed for record in self.records}))
            called = {row.labels: calls.of(row) for row in filled.rows}
            kept = {labels: one for labels, one in called.items() if isinstance(one, RowPredictions)}
            found.append(ComparedTable(filled, blocks(filled, kept), [], {}, {}))
        return found


def compare(
    tables: Sequence[Table], *, seeds: int, world: int, sd: float, worse: float = 0.0, apart: bool = False
) -> list[Difference]:
    """The differences between two studies in which rows are as good as the article says.

    Args:
        sd: of the true accuracy over seeds, in percentage points.
        worse: percentage points by which the error rate of every row and class is higher in the second study.
        apart: whether the second was tested on other images.
    """
    a, b, errors = Drawn(), Drawn(), article_errors()
    for dataset in dict.fromkeys(config.dataset for config in configs(tables)):
        of_it = [config for config in configs(tables) if config.dataset == dataset]
        rates = np.maximum(np.array([errors[config] for config in of_it]), 0.005)
        rates = np.concatenate([rates, np.minimum(rates + worse / 100, 0.999)])
        here = World.of(dataset, seed=world)
        there = replace(World.of(dataset, seed=world + 100_000), name=f"{dataset.name}-other") if apart else here
        called = here.called(rates, seeds=seeds, sd=sd / 100)
        others = there.called(rates, seeds=seeds, sd=sd / 100) if apart else called
        a.add(here, dict(zip(of_it, called, strict=False)))
        b.add(there, dict(zip(of_it, others[len(of_it) :], strict=True)))
    return list(differences(shared(a.compared(tables), b.compared(tables))).values())


def equal_studies(
    n: int, counts: Sequence[int] = (1, 2, 3, 5), sds: Sequence[float] = (0.0, 0.35, 0.62)
) -> Iterator[str]:
    """Two equal studies of Tables 4 to 12: comparisons in which any cell differs, and cells with p < 5 %."""
    for seeds in counts:
        for sd in sds:
            found = [compare(TABLES, seeds=seeds, world=i, sd=sd) for i in range(n)]
            yield f"two equal studies: {seeds} seeds, SD {sd}: {told(found)}"


def worse_studies(
    n: int, counts: Sequence[int] = (2, 3, 5), points: Sequence[float] = (1.0, 2.0, 4.0)
) -> Iterator[str]:
    """The second study errs on more images of every class: how often that is said, and of how many cells."""
    for seeds in counts:
        for worse in points:
            found = [compare(TABLES, seeds=seeds, world=i, sd=0.35, worse=worse) for i in range(n)]
            yield f"{worse:g} points worse: {seeds} seeds: {told(found)}"


def told(found: Sequence[Sequence[Difference]]) -> str:
    """How many comparisons of studies say that some cell differs, and of how many cells they and a single p do."""
    cells = [one for study in found for one in study]
    some = np.mean([any(one.verdict == "differ" for one in study) for study in found])
    small = np.mean([one.error.p(one.value) < 0.05 for one in cells])
    differ = np.mean([one.verdict == "differ" for one in cells])
    return f"some cell differs in {100 * some:.1f} %; of all cells {100 * differ:.2f} %, p < 5 % in {100 * small:.2f} %"
