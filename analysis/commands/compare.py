"""Compare two studies cell by cell: `python -m analysis compare A B`."""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import isnan
from pathlib import Path
from statistics import fmean

from analysis.arguments import add_out, add_selection, parse
from analysis.load import Study, load
from analysis.output.frames import difference_line, frame, number_of, to_csv
from analysis.stats.evidence import Line
from analysis.stats.studies import Cell, Difference, differences, shared
from analysis.tables.command_line import arguments
from analysis.tables.fill import describe
from analysis.tables.notes import REHEARSAL_NOTE
from search_spaces.table import parse_overrides
from wbc_model.errors import InputError, reports_input_errors
from wbc_model.plain_text import counted, printable

EXPLAINED = """\
differ                the rows' methods differ: p < 5 %, corrected over all cells of this comparison
networks differ       one seed, of A or of B: the trained networks differ by more than the test images explain, which
                      two trainings that differ in nothing but the seed may do as well
not shown to differ   neither
not tested            predictions were not kept

A cell is compared by the model of the tables (docs/analysis.md), in which the rows of both studies are one table. Tests
are paired where both studies have the same test images, by their names; where not, the comparison is unpaired and finds
only larger differences.

exit status: 0 the studies were compared, whatever was found; 1 compared, but some runs could not be read; 2 nothing
could be compared
"""
MARKS = {"differ": "*", "networks differ": "(*)", "not shown to differ": "", "not tested": "?"}
Found = Mapping[Cell, Difference]


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Compare, write compare.csv, print every cell of both; returns the exit status."""
    options = parse(parser(), argv)
    out: Path = options.pop("out")
    places, other = (options.pop("a"), options.pop("b")), options.pop("other_overrides")
    sets = options["overrides"], options["overrides"] if other is None else parse_overrides(other)
    a, b = (load(place, **options | {"overrides": knobs}) for place, knobs in zip(places, sets, strict=True))
    cells = shared([*a.compared], [*b.compared])
    if not cells:
        raise InputError(f"no cell has a number in both {places[0]} and {places[1]}")
    found = differences(cells)
    kind = "rehearsal" if a.rehearsal or b.rehearsal else "measured"
    out.mkdir(parents=True, exist_ok=True)
    text = to_csv(frame([_line(cell, found.get(cell)) for cell in cells], kind=kind))
    (out / "compare.csv").write_text(text, encoding="utf-8")
    print("\n".join(map(printable, [*_head(a, b, places), *_tables(cells, found), *_summary(a, b, cells, found)])))
    print(f"Every cell with its interval: {(out / 'compare.csv').absolute()}")
    return 1 if a.reading.problems or b.reading.problems else 0


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="python -m analysis compare",
        description="Compare two studies cell by cell, for example before and after a change of the code, or on two "
        "machines. Prints A's number and B minus A of every cell, and writes compare.csv.",
        epilog=EXPLAINED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    described.add_argument("a", metavar="A", help="storage of one study")
    described.add_argument("b", metavar="B", help="storage of the other; may be the same with another --set-b")
    add_selection(described)
    described.add_argument(
        "--set-b", nargs="*", dest="other_overrides", metavar="KNOB=VALUE", help="which study of B [as --set]"
    )
    add_out(described)
    return described


def _line(cell: Cell, found: Difference | None) -> Line:
    filled = cell.tables[0].filled
    line: Line = {"table": filled.table.number, "row": filled.describe(cell.rows[0]), "score": cell.column.label}
    for name, row, score in zip("AB", cell.rows, cell.scores, strict=True):
        line |= {name: number_of(score.mean), f"sd {name}": number_of(score.sd), f"n {name}": len(row.runs)}
    if found:
        line |= {"seed SD assumed": found.sd_assumed} | difference_line(found.value, found.error)
        line |= {"p corrected": found.adjusted, "p of the networks": number_of(found.as_networks)}
        line |= {"test images": "the same" if found.paired else "others"}
    line |= {"verdict": _verdict(found), "called differently": 100 * cell.called_differently}
    trials = (" ".join(run.trial.id for run in row.runs) for row in cell.rows)
    return line | dict(zip(("trials of A", "trials of B"), trials, strict=True))


def _verdict(found: Difference | None) -> str:
    return found.verdict if found else "not tested"


def _head(a: Study, b: Study, places: Sequence[str]) -> Iterator[str]:
    if a.rehearsal or b.rehearsal:
        yield REHEARSAL_NOTE
    for name, study, place in zip("AB", (a, b), places, strict=True):
        yield f"{name}: {place}" + (f" --set {arguments(study.overrides)}" if study.overrides else "")
        yield from (f"  not read: {problem}" for problem in study.reading.problems)


def _tables(cells: Sequence[Cell], found: Found) -> Iterator[str]:
    """Each table, with A's number and B minus A in each cell."""
    for table, of_table in groupby(cells, key=lambda cell: cell.tables[0].filled.table):
        rows = {name: list(row) for name, row in groupby(of_table, key=lambda c: describe(table, c.rows[0].labels))}
        width = max(map(len, rows))
        yield ""
        yield f"Table {table.number}: {table.title} (A in %, and B minus A in percentage points)"
        for name, row in rows.items():
            texts = (f"{cell.column.label} {_text(cell, found.get(cell))}" for cell in row)
            yield f"  {name:{width}}  {'  '.join(texts)}".rstrip()


def _text(cell: Cell, found: Difference | None) -> str:
    a, b = (number_of(score.mean) for score in cell.scores)
    return f"{a:6.2f} {b - a:+6.2f}{MARKS[_verdict(found)]:3}"


def _summary(a: Study, b: Study, cells: Sequence[Cell], found: Found) -> Iterator[str]:
    counts = Counter(_verdict(found.get(cell)) for cell in cells)
    told = ", ".join(
        f"{n} {verdict}{f' ({mark})' if (mark := MARKS[verdict]) else ''}" for verdict, n in counts.items()
    )
    yield ""
    yield f"Of {counted(len(cells), 'cell')}: {told}"
    for name, study in zip("AB", (a, b), strict=True):
        total = sum(cell.mean is not None for one in study.tables for row in one.rows for cell in row.cells)
        if total > len(cells):
            yield f"Cells with a number in {name} alone: {total - len(cells)}"
    if unpaired := sum(not one.paired for one in found.values()):
        yield f"Cells tested on other images in B, compared unpaired: {unpaired}"
    apart = {tuple(row.config.id for row in cell.rows): cell.called_differently for cell in cells}
    if shares := [share for share in apart.values() if not isnan(share)]:
        yield f"Trainings with one seed call {100 * fmean(shares):.2f} % of the test images differently in A and B"
