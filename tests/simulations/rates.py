"""How often the tables are right in worlds whose truth is known: `python -m tests.simulations.rates [PART ...]`.

One line per rate. All parts take hours on one core; `--tables N` sets the repetitions of a rate, and `--draws N` how
many tables each of them draws for its p.
"""

import argparse
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from math import hypot

import numpy as np

from analysis.commands.verify import verify
from analysis.load import Study
from analysis.output.frames import cell_lines
from analysis.published.numbers import Printed, printed
from analysis.stats import chance
from analysis.stats.chance import ALPHA
from analysis.stats.compare import Chances
from analysis.stats.evidence import ComparedTable, gather
from analysis.tables.fill import fill
from search_spaces.paper import LDWBC, LISC, PROPOSED, TABLES
from search_spaces.table import Table
from tests.simulations.tables import block_of, called_worse, lookup, model_of, study, table_of, worse, worse_cells
from tests.simulations.two_studies import equal_studies, worse_studies
from tests.simulations.worlds import World, article_errors, equal
from wbc_model.datasets.dataset import Dataset

SDS = (0.0, 0.35, 0.62)
"""Standard deviations of the true accuracy over seeds, in percentage points."""
BY_IMAGES = 0.17
"""SD over seeds of the proposed model's OA on LDWBC that is due to the images on which networks err."""
Lines = Iterator[str]


def article(n: int, seeds: Sequence[int] = (1, 2, 3, 5)) -> Lines:
    """The same study with ever more seeds: cells shown worse than the best, and what `verify` says."""
    for count in seeds:
        marks, told = Counter(), Counter()
        for world in range(n):
            one = study(seeds=count, world=world)
            cells = [
                cell for filled in one.tables for row in filled.rows for cell in row.cells if cell.mean is not None
            ]
            marks.update("best" if cell.best else "worse" if worse(cell) else "not shown" for cell in cells)
            told.update(found.verdict for found in verify(one))
        yield f"study of {count} seeds: {_counts(marks, n)}; verify: {_counts(told, n)}"


def reproduced(n: int, seeds: Sequence[int] = (1, 2, 3, 5)) -> Lines:
    """What `verify` says where the article is one of equal networks, with one seed and test images of its own."""
    for count in seeds:
        told = Counter()
        for world in range(n):
            article = _printed(study(seeds=1, world=10_000 + world))
            told.update(found.verdict for found in verify(study(seeds=count, world=world), article))
        shares = ", ".join(f"{name} {100 * often / told.total():.1f} %" for name, often in sorted(told.items()))
        yield f"an article of equal networks, {count} seeds: {shares}"


def _printed(one: Study) -> list[Printed]:
    """An article that prints the numbers of a study."""
    found = {
        (filled.table.number, row.labels): {
            column.label: cell.mean
            for column, cell in zip(filled.table.columns, row.cells, strict=True)
            if cell.mean is not None
        }
        for filled in one.tables
        for row in filled.rows
    }
    return [replace(row, numbers=found[row.table, row.labels]) for row in printed()]


def _counts(found: Counter[str], n: int) -> str:
    return ", ".join(f"{name} {count / n:.0f}" for name, count in sorted(found.items()))


def false_calls(
    n: int, counts: Sequence[int] = (2, 6, 8, 12), seeds: Sequence[int] = (1, 2, 3, 5, 10), sds: Sequence[float] = SDS
) -> Lines:
    """Equal rows on LDWBC: tables in which any cell is called worse than the best, and those with such an OA."""
    for k in counts:
        for s in seeds:
            for sd in sds:
                tables = [called_worse(World.of(LDWBC, seed=i), equal(k), seeds=s, sd=sd) for i in range(n)]
                found = [[one.any(), one[:, 0].any()] for one in tables]
                yield f"equal rows: {k} rows, {s} seeds, SD {sd}: {_shares(found)}"


def one_seed(n: int, counts: Sequence[int] = (2, 8), sds: Sequence[float] = (0.35, 0.5, 0.62)) -> Lines:
    """Equal rows with one seed: how often the corrected p of any cell is below 5 %, over images and the assumed SD."""
    for k in counts:
        for sd in sds:
            small = []
            for i in range(n):
                block = block_of(0, model_of(World.of(LDWBC, seed=i), equal(k), seeds=1, sd=sd))
                chances, pairs = Chances([block], fixed=False), combinations(range(k), 2)
                p = [chances.adjusted(block, *pair, name) for pair in pairs for name in block.model.names]
                small += [min(p) < ALPHA]
            yield f"one seed, {k} equal rows, SD {sd}: corrected p < 5 % in {100 * np.mean(small):.1f} %"


def uneven(n: int, folds: Sequence[float] = (2, 3, 5), seeds: Sequence[int] = (2, 3, 5)) -> Lines:
    """Equal rows of which some vary more over seeds than the others, by a factor: as `false_calls`."""
    for fold in folds:
        for k, wild in ((2, 1), (8, 1), (8, 4)):
            for s in seeds:
                sd = np.array([1 / fold] * (k - wild) + [1.0] * wild)
                tables = [called_worse(World.of(LDWBC, seed=i), equal(k), seeds=s, sd=sd) for i in range(n)]
                found = [[one.any(), one[:, 0].any()] for one in tables]
                yield f"{wild} of {k} rows have {fold} times the SD: {s} seeds: {_shares(found)}"


def several_datasets(n: int, tables: Sequence[Table] = TABLES[7:], seeds: Sequence[int] = (2, 3, 5)) -> Lines:
    """Tables 11 and 12 with equal rows: tables in which any cell is called worse than the best of its dataset."""
    for table in tables:
        for s in seeds:
            found = [_any_worse(table, seeds=s, world=i) for i in range(n)]
            yield f"equal rows of Table {table.number}: {s} seeds: any cell {100 * np.mean(found):.1f} %"


def _any_worse(table: Table, *, seeds: int, world: int) -> bool:
    here: Counter[Dataset] = Counter(config.dataset for config in table.rows.values())
    blocks = []
    for dataset, k in here.items():
        errors = np.maximum(article_errors()[replace(PROPOSED, dataset=dataset)], 0.005)
        images = World.of(dataset, seed=world * len(here) + len(blocks))
        model = model_of(images, np.tile(errors, (k, 1)), seeds=seeds, sd=0.35, dataset=dataset, columns=table.columns)
        blocks += [block_of(len(blocks), model)]
    chances = Chances(blocks, fixed=False)
    return any(worse_cells(chances, block).any() for block in blocks)


def images_as_a_sample(n: int, seeds: Sequence[int] = (10, 30)) -> Lines:
    """Two equal rows and many seeds: how often p < 5 % for the one comparison of OA."""
    for s in seeds:
        small = []
        for i in range(n):
            value, error = model_of(World.of(LDWBC, seed=i), equal(2), seeds=s, sd=0.1).difference(0, 1, "accuracy")
            small += [error.p(value) < ALPHA]
        yield f"one comparison: {s} seeds: p < 5 % in {100 * np.mean(small):.1f} %"


def noted_power(n: int, seeds: int = 3, rows: int = 8) -> Lines:
    """How often a row is found that is worse by the minimum detectable difference of OA in a like table's notes.

    Of few rows and seeds, some tables note none.
    """
    tables = [table_of(World.of(LDWBC, seed=i), equal(rows), seeds=seeds, sd=0.35) for i in range(n)]
    noted = [far for one in tables if (far := _noted(one))]
    found = [_found(far, seed=n + i, seeds=seeds, rows=rows, sd=0.35) for i, far in enumerate(noted)]
    yield f"noted power: {rows} rows, {seeds} seeds: {np.median(noted):.2f} points: {_shares(found)}"


def _noted(one: ComparedTable) -> float | None:
    note = next(note for note in one.filled.test_notes if note.startswith("Minimum detectable"))
    return float(found[1]) if (found := re.search(r"OA ([\d.]+\d)", note)) else None


def _found(points: float, *, seed: int, seeds: int, rows: int, sd: float) -> list[bool]:
    """Whether a row whose true accuracy is lower by some points is called worse, by any score and by its OA."""
    world, errors = World.of(LDWBC, seed=seed), equal(rows)
    errors[0] *= 1 + points / 100 / errors[0, world.truth].mean()
    return [(first := called_worse(world, errors, seeds=seeds, sd=sd)[0]).any(), first[0]]


def _shares(found: Sequence[Sequence[bool]]) -> str:
    """How often any cell of a row or table is called worse, and how often its OA."""
    either, oa = 100 * np.mean(found, axis=0)
    return f"any cell {either:.1f} %, OA {oa:.1f} %"


def power(
    n: int,
    counts: Sequence[int] = (2, 6, 8, 12),
    seeds: Sequence[int] = (2, 3, 5, 10),
    sds: Sequence[float] = SDS[1:],
) -> Lines:
    """How often a row is called worse whose true accuracy is lower by four SDs over seeds, as tables print that SD.

    It includes what the test images add, as seeds err on different ones.
    """
    for k in counts:
        for s in seeds:
            for sd in sds:
                far = 4 * hypot(sd, BY_IMAGES)
                found = [_found(far, seed=i, seeds=s, rows=k, sd=sd) for i in range(n)]
                yield f"four SDs apart: {k} rows, {s} seeds, SD {sd}: {_shares(found)}"


def all_right(_: int) -> Lines:
    """The interval over images where every seed calls 7 of 7 images of a class right."""
    world = World.of(LISC, seed=0)
    table = replace(TABLES[8], rows={("LISC", "Our model"): replace(PROPOSED, dataset=LISC)}, number="12")
    called = np.tile(world.truth, (3, 1))
    records, kept = world.records({config: called for config in table.rows.values()})
    one = gather(fill(table, records, seeds=range(3)), lookup(kept, {}))
    line = next(line for line in cell_lines(one) if line["score"] == "N")
    yield f"7 of 7 right, 3 seeds: over images [{line['over images low']:.2f}, {line['over images high']:.2f}]"


OF_TABLES = (
    article,
    reproduced,
    all_right,
    false_calls,
    several_datasets,
    one_seed,
    uneven,
    power,
    noted_power,
    images_as_a_sample,
)
PARTS: dict[str, Callable[[int], Lines]] = {part.__name__: part for part in (*OF_TABLES, equal_studies, worse_studies)}


def main() -> None:
    """Print the rates of the parts asked for, or of all."""
    asked = argparse.ArgumentParser(prog="python -m tests.simulations.rates", description=__doc__)
    asked.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[], metavar="PART", help=", ".join(PARTS))
    asked.add_argument("--tables", type=int, default=200, help="repetitions of each rate [%(default)s]")
    asked.add_argument("--draws", type=int, default=2000, help="draws of each table [%(default)s; in `analysis` 10000]")
    given = asked.parse_args()
    chance.DRAWS = given.draws
    for name in given.parts or PARTS:
        for line in PARTS[name](given.tables):
            print(line, flush=True)


if __name__ == "__main__":
    main()
