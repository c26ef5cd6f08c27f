"""From runs to filled and tested tables: what every command begins with."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tqdm import tqdm
from upath import UPath

from analysis.runs.manifests import Manifest, read_manifests
from analysis.runs.read import read
from analysis.runs.reading import Reading
from analysis.stats.compare import Photographs, PredictionLookup
from analysis.stats.evidence import ComparedTable, gather
from analysis.tables.choose import choose, tables_under
from analysis.tables.fill import Filled, fill
from search_spaces.paper import PROPOSED
from search_spaces.table import Table, configs, effective, parse_overrides
from study.plan import RunRecord
from study.storage import root_of
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.photographs import read_origins
from wbc_model.errors import InputError
from wbc_model.preparation.cache_folder import default_cache


@dataclass(frozen=True, eq=False)
class Study:
    """A study's tables, and what they come from."""

    tables: Sequence[Filled]
    compared: Sequence[ComparedTable]
    """Of each table."""
    reading: Reading
    """The runs, of this study and of others."""
    left_out: dict[str, str]
    """Number of each table that cannot be printed under the overrides, and why."""
    overrides: dict[str, Any]
    storage: UPath | None
    """None: a W&B server."""
    whole: bool = True
    """Whether no tables were picked, so that those round them (1-3, ranks) are wanted too."""

    @property
    def rehearsal(self) -> bool:
        return any(filled.rehearsal for filled in self.tables)

    @property
    def kind(self) -> str:
        return "rehearsal" if self.rehearsal else "measured"

    @cached_property
    def manifests(self) -> dict[Dataset, Manifest]:
        """By dataset, the manifest of the data that the runs of the paper's tables were trained on.

        Empty where the runs were read from a server: manifests are kept in the storage alone.
        """
        if self.storage is None:
            return {}
        tables = [filled for filled in self.tables if filled.table.number.isdigit()]
        runs = [run for filled in tables for row in filled.rows for run in row.runs]
        return read_manifests(runs, self.storage, usual=PROPOSED.override(self.overrides))


def load(args: argparse.Namespace, reading: Reading | None = None) -> Study:
    """Read the runs, unless they have been; fill the tables that are asked for, test their cells.

    Raises:
        InputError: no runs, several studies, or runs that cannot be compared.
    """
    reading = read(args.runs, wandb=args.wandb) if reading is None else reading
    records = reading.records
    if reading.problems and not records:
        raise InputError("\n".join(["no run can be used:", *reading.problems]))
    wanted = None if args.set is None else effective(parse_overrides(args.set))
    overrides = choose(records, wanted, where=args.wandb or str(args.runs))
    possible, left_out = tables_under(overrides, numbers=args.tables, datasets=args.datasets)
    tables = _fill(possible, records, seeds=args.seeds, overrides=overrides)
    calls = PredictionLookup(reading.predictions, _photographs(args.photographs))
    bar = tqdm(tables, desc="compare rows by image", unit=" tables", leave=False, disable=None)
    compared = [gather(filled, calls) for filled in bar]
    storage = None if args.wandb else args.runs
    return Study([one.filled for one in compared], compared, reading, left_out, overrides, storage, not args.tables)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which study, and which part of it."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--runs", type=root_of, default="runs", metavar="DIR|URL", help="the study's storage [%(default)s]"
    )
    source.add_argument("--wandb", metavar="ENTITY/PROJECT", help="a project on the W&B server")
    parser.add_argument("--set", nargs="*", metavar="KNOB=VALUE", help="which study, if there are runs of several")
    parser.add_argument("--tables", nargs="+", type=str.upper, default=[], metavar="N", help="only these [all nine]")
    parser.add_argument(
        "--datasets", nargs="+", type=str.lower, default=[], metavar="NAME", help="only rows on these [all four]"
    )
    parser.add_argument("--seeds", nargs="+", type=int, metavar="N", help="those every row should have [any there is]")
    parser.add_argument("--out", type=Path, default="build", metavar="FOLDER", help="where to write [%(default)s]")
    parser.add_argument(
        "--photographs",
        type=Path,
        metavar="CSV",
        help="which photograph each BCCD image is a copy of, as `python -m wbc_model.audit bccd` finds it "
        "[the newest bccd-photographs-*.csv in the cache]",
    )


def _fill(
    tables: Sequence[Table], records: Sequence[RunRecord], *, seeds: Sequence[int] | None, overrides: dict[str, Any]
) -> list[Filled]:
    """Every table, with the seeds that are asked for, or else all that any row of any of them has."""
    ids = {config.id for config in configs(tables)}
    seeds = seeds or sorted({record.trial.seed for record in records if record.trial.config.id in ids}) or [0]
    return [fill(table, records, seeds=seeds, overrides=overrides) for table in tables]


def _photographs(named: Path | None) -> Photographs:
    """What shows the same cell; nothing where nobody has looked."""
    found = sorted(default_cache().glob("bccd-photographs-*.csv"), key=lambda file: file.stat().st_mtime)
    if named and not named.is_file():
        raise InputError(f"--photographs: no such file: {named}")
    file = named or next(reversed(found), None)
    return read_origins(file).cells() if file else {}
