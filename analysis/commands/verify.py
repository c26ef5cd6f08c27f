"""Compare every measured cell with the printed one: `python -m analysis verify`."""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import hypot, nan
from pathlib import Path

from analysis.arguments import add_arguments, parse
from analysis.load import Study, load
from analysis.output import made_from
from analysis.output.frames import frame, to_csv
from analysis.published.numbers import SOURCE, Printed
from analysis.published.numbers import printed as of_the_article
from analysis.stats.error import Error
from analysis.stats.evidence import ComparedTable, Line
from analysis.stats.intervals import Ends
from analysis.stats.model import ASSUMED_SD, Model
from analysis.tables.command_line import arguments, command
from analysis.tables.fill import Row
from analysis.tables.layout import TableLayout
from search_spaces.table import Column
from wbc_model.errors import InputError, reports_input_errors
from wbc_model.plain_text import counted, printable

MARGIN = 1.0
"""Percentage points within which two numbers count as equal."""
MEANINGS = {
    "agrees": f"the 95 % interval of the difference, measured minus printed, lies within +-{MARGIN:g} point",
    "too imprecise": f"the interval holds 0 and reaches beyond {MARGIN:g} point: compatible, but it could be a real "
    "difference",
    "differs": f"the interval excludes 0, and holds differences smaller than {MARGIN:g} point",
    "contradicts": f"the whole interval is farther than {MARGIN:g} point from 0",
    "not judged": "the row has runs, but their predictions give no interval; the reason is named with the row",
    "not run": "the row has no run",
}
"""What each verdict means."""
EXPLAINED = "\n".join(f"{verdict:14}  {meaning}" for verdict, meaning in MEANINGS.items())
EXPLAINED += f"""

Both numbers vary with the test images and with the seeds; the printed one is of one seed. The seeds' variance is that
of the table's rows, or assumed where no row has two seeds ({100 * ASSUMED_SD:g} points for OA, more where a score errs
more, with which the interval of a difference reaches beyond {MARGIN:g} point: one seed cannot show that a cell agrees).
The images' variance is that of the printed share, or for AP, AR and AF1 that of the measured row. On BCCD, the
photographed cells are what counts.

exit status: 0 all cells agree or are too imprecise to tell, 1 some are not, 2 nothing could be compared
"""
NAME = "verify.csv"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A cell as printed and as measured, in percent, and how the two compare."""

    row: Printed
    score: str
    printed: float
    measured: float | None
    ends: Ends = None
    """Of the 95 % interval of measured minus printed."""
    n: int
    verdict: str
    reason: str = ""
    """Why it is not judged."""

    def line(self) -> Line:
        low, high = self.ends or (nan, nan)
        measured = nan if self.measured is None else self.measured
        return {
            "table": self.row.table,
            "row": str(self.row).split(", ", 1)[1],
            "score": self.score,
            "printed": self.printed,
            "measured": measured,
            "n": self.n,
            "difference": measured - self.printed,
            "difference low": low,
            "difference high": high,
            "verdict": self.verdict,
            "reason": self.reason,
        }


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Compare, write verify.csv, print the cells that differ or contradict; returns the exit status."""
    options = parse(parser(), argv)
    out: Path = options.pop("out")
    study = load(**options)
    found = list(verify(study))
    out.mkdir(parents=True, exist_ok=True)
    (out / NAME).write_text(_csv(study, found), encoding="utf-8")
    made_from.save(study, [], asked=options, out=out, written=[NAME], command="verify")
    print("\n".join(map(printable, _summary(study, found))))
    print(f"Every cell with its interval: {(out / NAME).absolute()}")
    return 0 if all(one.verdict in ("agrees", "too imprecise") for one in found) else 1


def printed(study: Study) -> tuple[list[TableLayout], dict[str, str]]:
    """No tables, and the text of the file that the command writes, by name.

    Raises:
        InputError: the runs are a rehearsal.
    """
    return [], {NAME: _csv(study, list(verify(study)))}


def _csv(study: Study, found: Sequence[Verdict]) -> str:
    departs = f"measured, --set {arguments(study.overrides)}" if study.overrides else "measured"
    return to_csv(frame([one.line() for one in found], kind=departs))


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="python -m analysis verify",
        description=f"Compare a study's numbers with those of {SOURCE}.",
        epilog=EXPLAINED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(described)
    return described


def verify(study: Study, article: Iterable[Printed] | None = None) -> Iterator[Verdict]:
    """A verdict on every cell of the study's tables that an article prints, by default Chen et al. 2022.

    Raises:
        InputError: the runs are a rehearsal.
    """
    if study.rehearsal:
        raise InputError("these runs are a rehearsal: their numbers say nothing about the paper's")
    rows = {(row.table, row.labels): row for row in (of_the_article() if article is None else article)}
    for compared in study.compared:
        table = compared.filled.table
        for row in compared.filled.rows:
            source = rows.get((table.number, row.labels))
            for i, column in enumerate(table.columns):
                if source and column.label in source.numbers:
                    yield _judge(source, column, compared, row, i)


def _judge(source: Printed, column: Column, compared: ComparedTable, row: Row, i: int) -> Verdict:
    number, mean = float(source.numbers[column.label]), row.cells[i].mean
    found = compared.model_of(row, column)
    measured = None if mean is None else float(mean)
    ends = None if measured is None or found is None else _difference(number, measured, *found, column.key)
    verdict = "not run" if measured is None else _verdict(ends)
    return Verdict(
        row=source,
        score=column.label,
        printed=number,
        measured=measured,
        ends=ends,
        n=len(row.runs),
        verdict=verdict,
        reason=compared.missing[row.labels] if verdict == "not judged" else "",
    )


def _verdict(ends: Ends) -> str:
    if ends is None:
        return "not judged"
    low, high = ends
    if low >= -MARGIN and high <= MARGIN:
        return "agrees"
    if low <= 0 <= high:
        return "too imprecise"
    return "contradicts" if low > MARGIN or high < -MARGIN else "differs"


def _difference(number: float, measured: float, model: Model, i: int, name: str) -> tuple[float, float]:
    """The 95 % interval of measured minus printed, from the intervals of both (MOVER: Zou & Donner 2008), in points."""
    ours, theirs = measured / 100, number / 100
    error, weight = model.error(i, name), model.images.weight(name)
    macro = name.startswith("macro")
    of_one = Error(
        images=error.images if macro else theirs * (1 - theirs) / weight,
        seeds=error.seeds * float(model.seeds[i]),
        df=error.df,
    )
    low, high = error.interval(ours, weight=weight)
    their_low, their_high = of_one.interval(theirs, weight=weight)
    down, up = hypot(ours - low, their_high - theirs), hypot(high - ours, theirs - their_low)
    return 100 * (ours - theirs - down), 100 * (ours - theirs + up)


def _summary(study: Study, found: Sequence[Verdict]) -> Iterator[str]:
    if study.overrides:
        yield f"These runs depart from the paper: --set {arguments(study.overrides)}"
    of_table: dict[str, list[Verdict]] = defaultdict(list)
    for one in found:
        of_table[one.row.table].append(one)
    commands = {filled.table.number: command(filled, storage=study.storage) for filled in study.tables}
    for number, cells in of_table.items():
        counts = Counter(one.verdict for one in cells)
        verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in MEANINGS if counts[verdict])
        yield f"Table {number}: of {counted(len(cells), 'cell')} {verdicts}"
        for one in cells:
            if one.verdict in ("differs", "contradicts"):
                yield f"  {one.verdict}: {one.row}, {one.score}: printed {one.printed:.2f}, measured {one.measured:.2f}"
        unjudged = {str(one.row): one.reason for one in cells if one.verdict == "not judged"}
        yield from (f"  not judged: {row}: {reason}" for row, reason in unjudged.items())
        if counts["not run"]:
            yield f"  to run: {commands[number]}"
    occurred = {one.verdict for one in found}
    yield from (f"{verdict}: {meaning}" for verdict, meaning in MEANINGS.items() if verdict in occurred)
