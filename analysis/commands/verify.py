"""Compare every measured cell with the printed one: `python -m analysis verify`."""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import hypot, nan
from pathlib import Path

from analysis.arguments import add_arguments, parse
from analysis.load import Study, load
from analysis.output.frames import Ends, frame, intervals, to_csv
from analysis.published.audit import sets_tested
from analysis.published.numbers import SOURCE, Printed, images_tested, printed
from analysis.stats.evidence import ComparedTable, Line
from analysis.stats.paired import share_interval
from analysis.tables.command_line import arguments, command
from analysis.tables.fill import Row
from search_spaces.table import PER_CLASS, Column
from wbc_model.datasets.dataset import Dataset
from wbc_model.errors import InputError, reports_input_errors
from wbc_model.plain_text import printable

EXPLAINED = """\
reproduced     the printed number lies within the 95 % interval of the measured one
within noise   it does not, but the difference is within both intervals combined
contradicts    the difference is larger than both intervals combined
not judged     the row has runs, but their predictions are missing, so that there is no interval
not run        the row has no run

The measured interval is over test images and, with several seeds, over seeds, whichever is wider at each end. The
interval of a printed OA or recall is Wilson's, with the class sizes that the printed recalls determine (python -m
analysis audit); that of AR combines those of the recalls. AP and AF1, and all scores on BCCD, whose images are copies,
have no interval of their own and take the width of the measured one.

exit status: 0 all cells are reproduced or within noise, 1 some are not, 2 nothing could be compared
"""
VERDICTS = ("reproduced", "within noise", "contradicts", "not judged", "not run")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A cell as printed and as measured, in percent, and how the two compare."""

    row: Printed
    score: str
    printed: float
    printed_ends: Ends
    measured: float | None
    measured_ends: Ends
    n: int
    verdict: str

    def line(self) -> Line:
        low, high = self.printed_ends or (nan, nan)
        measured_low, measured_high = self.measured_ends or (nan, nan)
        return {
            "table": self.row.table,
            "row": str(self.row).split(", ", 1)[1],
            "score": self.score,
            "printed": self.printed,
            "printed low": low,
            "printed high": high,
            "measured": nan if self.measured is None else self.measured,
            "measured low": measured_low,
            "measured high": measured_high,
            "n": self.n,
            "verdict": self.verdict,
        }


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Compare, write verify.csv, print the cells that contradict; returns the exit status."""
    options = parse(parser(), argv)
    out: Path = options.pop("out")
    study = load(**options)
    if study.rehearsal:
        raise InputError("these runs are a rehearsal: their numbers say nothing about the paper's")
    out.mkdir(parents=True, exist_ok=True)
    found = list(verify(study))
    departs = f"measured, --set {arguments(study.overrides)}" if study.overrides else "measured"
    text = to_csv(frame([one.line() for one in found], kind=departs))
    (out / "verify.csv").write_text(text, encoding="utf-8")
    print("\n".join(map(printable, _summary(study, found))))
    print(f"Every cell with both intervals: {(out / 'verify.csv').absolute()}")
    return 0 if all(one.verdict in VERDICTS[:2] for one in found) else 1


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="python -m analysis verify",
        description=f"Compare a study's numbers with those of {SOURCE}.",
        epilog=EXPLAINED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(described)
    return described


def verify(study: Study) -> Iterator[Verdict]:
    """A verdict on every cell of the study's tables that the article prints."""
    rows = {(row.table, row.labels): row for row in printed()}
    for compared in study.compared:
        table = compared.filled.table
        for row in compared.filled.rows:
            source = rows.get((table.number, row.labels))
            for i, column in enumerate(table.columns):
                if source and column.label in source.numbers:
                    yield _judge(source, column, compared, row, i)


def _judge(source: Printed, column: Column, compared: ComparedTable, row: Row, i: int) -> Verdict:
    number = float(source.numbers[column.label])
    mean = row.cells[i].mean
    ours = None if mean is None else _measured(row, compared, column)
    theirs = _own_interval(source, column.label)
    if ours and mean is not None and (theirs is None or source.config.dataset.of_copies):
        theirs = number - (float(mean) - ours[0]), number + (ours[1] - float(mean))
    return Verdict(
        row=source,
        score=column.label,
        printed=number,
        printed_ends=theirs,
        measured=None if mean is None else float(mean),
        measured_ends=ours,
        n=len(row.runs),
        verdict="not run" if mean is None else _verdict(number, theirs, float(mean), ours),
    )


def _verdict(number: float, theirs: Ends, mean: float, ours: Ends) -> str:
    if ours is None or theirs is None:
        return "not judged"
    if ours[0] <= number <= ours[1]:
        return "reproduced"
    facing = (ours[1] - mean, number - theirs[0]) if mean < number else (mean - ours[0], theirs[1] - number)
    return "within noise" if abs(mean - number) <= hypot(*facing) else "contradicts"


def _measured(row: Row, compared: ComparedTable, column: Column) -> Ends:
    """The interval in percent over images and seeds, whichever is wider at each end; None without predictions."""
    seeds, images, _ = intervals(row, compared.predictions_of(row, column), column)
    ends = [one for one in (seeds, images) if one]
    return (100 * min(low for low, _ in ends), 100 * max(high for _, high in ends)) if images else None


@cache
def _sets() -> Mapping[Dataset, Mapping[str, int]]:
    return sets_tested(printed())


def _own_interval(source: Printed, score: str) -> Ends:
    """The interval in percent that the printed numbers alone give; None for AP and AF1."""
    if score == "OA":
        return _share(float(source.numbers[score]), images_tested(source.config))
    sizes = _sets()[source.config.dataset]
    if score in sizes:
        return _share(float(source.numbers[score]), sizes[score])
    recalls = next((r.numbers for r in printed() if r.config == source.config and set(r.numbers) <= _LETTERS), None)
    if score != "AR" or recalls is None:
        return None
    each = {cell: _share(float(number), sizes[cell]) for cell, number in recalls.items()}
    low, high = (hypot(*(float(recalls[cell]) - ends[i] for cell, ends in each.items())) / len(each) for i in (0, 1))
    middle = float(source.numbers[score])
    return middle - low, middle + high


_LETTERS = {column.label for column in PER_CLASS}


def _share(percent: float, images: int) -> tuple[float, float]:
    low, high = share_interval(round(percent * images / 100), images)
    return 100 * low, 100 * high


def _summary(study: Study, found: Sequence[Verdict]) -> Iterator[str]:
    if study.overrides:
        yield f"These runs depart from the paper: --set {arguments(study.overrides)}"
    of_table: dict[str, list[Verdict]] = defaultdict(list)
    for one in found:
        of_table[one.row.table].append(one)
    commands = {filled.table.number: command(filled, storage=study.storage) for filled in study.tables}
    for number, cells in of_table.items():
        counts = Counter(one.verdict for one in cells)
        verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
        yield f"Table {number}: of {len(cells)} cells {verdicts}"
        for one in cells:
            if one.verdict == "contradicts":
                yield f"  contradicts: {one.row}, {one.score}: printed {one.printed:.2f}, measured {one.measured:.2f}"
        if counts["not run"]:
            yield f"  to run: {commands[number]}"
