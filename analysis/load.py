"""Load a study: read its runs, fill its tables and compare their rows. Every command starts with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm
from upath import UPath

from analysis.output.frames import cell_lines, delta_lines, frame, run_lines, table_frame
from analysis.runs.evaluated import add_evaluated
from analysis.runs.manifests import Manifest, read_manifests
from analysis.runs.read import read
from analysis.runs.reading import Reading
from analysis.stats.evidence import ComparedTable, Line, gather, power_lines
from analysis.stats.predictions import Photographs, PredictionLookup
from analysis.tables.choose import choose, tables_under
from analysis.tables.fill import Filled, fill
from search_spaces.paper import PROPOSED
from search_spaces.table import Table, configs, effective
from study.plan import RunRecord
from study.storage import Storage, root_of
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.photographs import read_origins
from wbc_model.errors import InputError
from wbc_model.preparation.cache_folder import default_cache


@dataclass(frozen=True, eq=False)
class Study:
    """A study's tables, and the runs that they come from."""

    tables: Sequence[Filled]
    compared: Sequence[ComparedTable]
    """The comparisons of each table's cells, in the order of `tables`."""
    reading: Reading
    """Everything that was read: runs of this study and of others, and problems."""
    left_out: dict[str, str]
    """By number, why a table cannot be printed under the overrides."""
    overrides: dict[str, Any]
    storage: UPath | None
    """Where the runs were read from; None: a W&B server."""
    whole: bool = True
    """Whether no tables were chosen, so that Tables 1-3 and the ranks are printed too."""

    @property
    def rehearsal(self) -> bool:
        return any(filled.rehearsal for filled in self.tables)

    @property
    def kind(self) -> str:
        return "rehearsal" if self.rehearsal else "measured"

    @property
    def proposed(self) -> TrialConfig:
        """The proposed model as this study trains it, on the dataset of its first row."""
        dataset = next(row.config.dataset for filled in self.tables for row in filled.rows)
        return replace(PROPOSED, dataset=dataset).override(self.overrides)

    def table(self, number: str) -> pd.DataFrame:
        """A table as in `table_<number>.csv`: one line per row, with mean and SD over the seeds of each score.

        Raises:
            InputError: the table is not one of the study's.
        """
        tables = {filled.table.number: filled for filled in self.tables}
        if number not in tables:
            raise InputError(f"no Table {number} among those read: {', '.join(tables)}")
        return table_frame(tables[number])

    def cells(self) -> pd.DataFrame:
        """One line per cell of any table: its number, 95 % intervals, and difference from the best of its column."""
        return self._frame(line for lines in self.cell_lines for line in lines)

    @cached_property
    def cell_lines(self) -> list[list[Line]]:
        """Of each table, the lines of `cells`."""
        return [cell_lines(one) for one in self.compared]

    def deltas(self) -> pd.DataFrame:
        """One line per score of any row: the difference from the proposed model's row on the same dataset."""
        return self._frame(line for one in self.compared for line in delta_lines(one, self.proposed))

    def power(self) -> pd.DataFrame:
        """One line per comparison: its standard errors, and the minimum detectable difference."""
        return self._frame(line for one in self.compared for line in power_lines(one))

    def runs(self) -> pd.DataFrame:
        """One line per run: trial, dataset, difference from the proposed model, seed, device, hours, OA and AF1."""
        return self._frame(run_lines(self.tables))

    def _frame(self, lines: Iterable[Line]) -> pd.DataFrame:
        return frame(list(lines), kind=self.kind)

    @cached_property
    def manifests(self) -> dict[Dataset, Manifest]:
        """By dataset, the manifest of the data that the runs of the paper's tables were trained on.

        Empty where the runs were read from a server: manifests are kept in the storage alone.
        """
        if self.storage is None:
            return {}
        tables = [filled for filled in self.tables if filled.table.number.isdigit()]
        runs = [run for filled in tables for row in filled.rows for run in row.runs]
        return read_manifests(runs, self.storage, usual=self.proposed, problems=self.reading.problems)


def load(
    storage: str = "runs",
    *,
    wandb: str | None = None,
    tables: Sequence[str] = (),
    datasets: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
    overrides: dict[str, Any] | None = None,
    photographs: str | Path | None = None,
    reading: Reading | None = None,
) -> Study:
    """Read the runs of a study, fill its tables, and test their rows against the best.

    Args:
        storage: the folder or URL that the study wrote its results to.
        wandb: `ENTITY/PROJECT` on a W&B server, to read the runs from there instead.
        tables: numbers of the tables wanted; none: those of the paper.
        datasets: names of the datasets whose rows are wanted; none: all.
        seeds: those that every row should have; None: every seed that any row has.
        overrides: the knobs that were set for the whole study, as `--set` takes them ({}: none); None: whatever was
            set, where there are runs of one study only.
        photographs: a CSV that tells which photograph each BCCD image is a copy of, as `python -m wbc_model.audit bccd`
            writes it; None: the newest in the cache.
        reading: runs that were read before, instead of reading them.

    Raises:
        InputError: no runs, runs of several studies, or runs that cannot be compared.
    """
    root = None if wandb else root_of(storage)
    reading = read(root, wandb=wandb) if reading is None else reading
    if reading.problems and not reading.records:
        raise InputError("\n".join(["no run can be used:", *reading.problems]))
    chosen = choose(reading.records, None if overrides is None else effective(overrides), where=wandb or storage)
    possible, left_out = tables_under(chosen, numbers=tables, datasets=datasets, records=reading.records)
    if root is not None:
        add_evaluated(reading, configs(possible), Storage(str(root)))
    filled = _fill(possible, reading.records, seeds=seeds, overrides=chosen)
    calls = PredictionLookup(reading.predictions, _photographs(photographs))
    bar = tqdm(filled, desc="compare rows by image", unit=" tables", leave=False, disable=None)
    compared = [gather(one, calls) for one in bar]
    return Study([one.filled for one in compared], compared, reading, left_out, chosen, root, whole=not tables)


def _fill(
    tables: Sequence[Table], records: Sequence[RunRecord], *, seeds: Sequence[int] | None, overrides: dict[str, Any]
) -> list[Filled]:
    """Every table, with the requested seeds, or else all seeds that any of their rows has."""
    ids = {config.id for config in configs(tables)}
    seeds = seeds or sorted({record.trial.seed for record in records if record.trial.config.id in ids}) or [0]
    return [fill(table, records, seeds=seeds, overrides=overrides) for table in tables]


def _photographs(named: str | Path | None) -> Photographs:
    """The name of the cell that each image shows, by image id; empty where no file is named or in the cache."""
    found = sorted(default_cache().glob("bccd-photographs-*.csv"), key=lambda file: file.stat().st_mtime)
    if named and not Path(named).is_file():
        raise InputError(f"--photographs: no such file: {named}")
    file = Path(named) if named else next(reversed(found), None)
    return read_origins(file).cells() if file else {}
