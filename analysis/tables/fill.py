"""Fill a table's rows from the runs of their configs."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal
from statistics import fmean, stdev
from typing import Any

from search_spaces.table import Column, Table
from study.plan import RunRecord
from wbc_model.config import TrialConfig
from wbc_model.errors import InputError

DASH = "–"
TICK = "✓"
TIED, WORSE_NETWORK = "†", "‡"
USUAL_DATA = (TrialConfig().split, TrialConfig().augmentation)


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score in percent as it is printed; empty if no run has it, or if the dataset lacks the cell type."""

    mean: Decimal | None = None
    sd: Decimal | None = None
    """Sample standard deviation over the seeds; None for one seed."""
    best: bool = False
    tied: bool = False
    """Not the best, but tied with it: not shown to be worse (stats/compare.py)."""
    worse_network: bool = False
    """With one seed: the trained network is worse than the best one, which is not shown of the method."""

    @property
    def mark(self) -> str:
        return TIED if self.tied else WORSE_NETWORK if self.worse_network else ""

    def __str__(self) -> str:
        if self.mean is None:
            return DASH
        return f"{self.mean}" if self.sd is None else f"{self.mean} ± {self.sd}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row: the runs of its config, in the order of their seeds, and their scores."""

    labels: tuple[str, ...]
    config: TrialConfig
    runs: tuple[RunRecord, ...]
    missing_seeds: tuple[int, ...]
    """Requested seeds that have no finished run."""
    cells: tuple[Score, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.trial.seed for run in self.runs)


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A table with its scores."""

    table: Table
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    """Seeds requested for every row."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """What was overridden in the whole study; printed with the table."""
    test_notes: tuple[str, ...] = ()
    """Notes on the statistical tests behind the marks of its cells."""
    sign_notes: tuple[str, ...] = ()
    """What the marks mean, in the same words in every table that has them."""

    @property
    def rehearsal(self) -> bool:
        return any(row.config.rehearsal for row in self.rows)

    @property
    def missing(self) -> list[str]:
        """Rows that lack runs, in words; a row that has some of its seeds is followed by the missing ones."""
        return [
            self.describe(row) + (f" (seed {', '.join(map(str, row.missing_seeds))})" if row.runs else "")
            for row in self.rows
            if row.missing_seeds
        ]

    def describe(self, row: Row) -> str:
        return describe(self.table, row.labels)


def describe(table: Table, labels: tuple[str, ...]) -> str:
    """A row in words: `α 0.2`, `RM SCAM` for its ticks, `LISC Jiang`."""
    if len(labels) == 1:
        return f"{table.stub[0]} {labels[0]}"
    pairs = zip(table.stub, labels, strict=True)
    return " ".join(heading if label == TICK else label for heading, label in pairs if label)


def fill(
    table: Table,
    records: Sequence[RunRecord],
    *,
    seeds: Collection[int] = (0,),
    overrides: dict[str, Any] | None = None,
) -> Filled:
    """The table with the scores of those records whose config is in it: the mean over all seeds of a row.

    Args:
        seeds: those that every row should have.
        overrides: what was overridden in the whole study; only recorded, as the rows are overridden already.

    Raises:
        InputError: two records of one trial, or records made from different data or weights.
    """
    if twice := [trial for trial, n in Counter(record.trial.id for record in records).items() if n > 1]:
        raise InputError(f"two finished runs of trial {', '.join(twice)}")
    by_config: dict[str, list[RunRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record.trial.seed):
        by_config[record.trial.config.id].append(record)
    rows = [_row(table, labels, runs=by_config[config.id], seeds=seeds) for labels, config in table.rows.items()]
    _require_equal_inputs(table, [run for row in rows for run in row.runs])
    best = [_best(table, rows, column) for column in range(len(table.columns))]
    rows = [replace(row, cells=tuple(_mark(row, best))) for row in rows]
    return Filled(table=table, rows=tuple(rows), seeds=tuple(sorted(seeds)), overrides=overrides or {})


def _require_equal_inputs(table: Table, runs: Sequence[RunRecord]) -> None:
    """Check that all rows were trained on the same images of a dataset and from the same weights file.

    Rows that ask for another split or augmentation have other data on purpose and are compared among themselves.
    """
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for run in runs:
        config = run.trial.config
        kind = "".join(f", {knob}" for knob in (config.split, config.augmentation) if knob not in USUAL_DATA)
        data = {config.dataset.name: run.provenance.get("data", "?")} | run.provenance.get("data_elsewhere", {})
        for dataset, fingerprint in data.items():
            seen[f"data of {dataset}{kind}"][fingerprint].add(run.trial.id)
        for name, weights in run.provenance.get("weights", {}).items():
            seen[f"weights of {name}"][weights["sha256"]].add(run.trial.id)
    for what, kinds in seen.items():
        if len(kinds) > 1:
            versions = "; ".join(f"{kind[:16]} in {', '.join(sorted(ids))}" for kind, ids in kinds.items())
            raise InputError(
                f"Table {table.number} mixes different {what}: {versions}. Remove the records of one version"
            )


def _row(table: Table, labels: tuple[str, ...], *, runs: Sequence[RunRecord], seeds: Collection[int]) -> Row:
    return Row(
        labels=labels,
        config=table.rows[labels],
        runs=tuple(runs),
        missing_seeds=tuple(sorted(set(seeds) - {run.trial.seed for run in runs})),
        cells=tuple(cells(table.columns, runs)),
    )


def cells(columns: Sequence[Column], runs: Sequence[RunRecord]) -> list[Score]:
    """The score of each column: the mean over the runs."""
    return [_cell(values(column, runs)) for column in columns]


def values(column: Column, runs: Sequence[RunRecord]) -> list[float]:
    """A column's score in [0, 1] of each run that has it."""
    tests = [run.tests.get((column.on or run.trial.config.dataset).name) for run in runs]
    return [test.scores()[column.key] for test in tests if test and test.has(column.key)]


def _cell(scores: Sequence[float]) -> Score:
    if not scores:
        return Score()
    return Score(mean=percent(fmean(scores)), sd=percent(stdev(scores)) if len(scores) > 1 else None)


def percent(score: float) -> Decimal:
    """A score in percent, rounded half to even to two decimals.

    Rounding to nine decimals first removes the error of binary fractions: 90.025 is a tie, although no float equals it.
    """
    return Decimal(f"{100 * score:.9f}").quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def _best(table: Table, rows: Sequence[Row], column: int) -> set[tuple[str, ...]]:
    """Labels of the rows with the highest printed number in their group; groups of a single number have no best."""
    if table.columns[column].on:
        return set()
    groups: dict[tuple[str, ...], dict[tuple[str, ...], Decimal]] = defaultdict(dict)
    for row in rows:
        if (mean := row.cells[column].mean) is not None:
            groups[row.labels[: table.best_within]][row.labels] = mean
    rivals = [group for group in groups.values() if len(group) > 1]
    return {labels for group in rivals for labels, mean in group.items() if mean == max(group.values())}


def _mark(row: Row, best: Sequence[set[tuple[str, ...]]]) -> list[Score]:
    return [replace(cell, best=row.labels in labels) for cell, labels in zip(row.cells, best, strict=True)]
