"""A forest plot of a table: each row's difference from the best of the column, with its corrected 95 % interval.

It excludes 0 exactly where the cell has no † (with ‡ it is over images alone, as that sign is).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from analysis.report.answers import points
from analysis.stats.evidence import Line
from analysis.tables.fill import Filled
from analysis.tables.notes import groups_begin

NOTE = (
    "Plots show differences from the best of the column in percentage points, each with its 95 % interval, corrected "
    "for all pairs of rows and all columns: it excludes 0 exactly where the table calls the row worse, or with ‡ its "
    "trained network, over images alone. Square: the best; filled circle: worse; open circle: not shown to be worse. "
    "Each column has a scale of its own in each group of rows that are compared with each other."
)
"""What holds for every plot, and is printed once."""

TICKS = 3
"""Fewest ticks of an axis."""
STEPS = (8, 6, 5, 4, 3, 2, 1.5, 1)
"""Round intervals between ticks, up to a power of ten."""
MARGIN = 0.06
"""Room beside the data, as a share of its range."""


@dataclass(frozen=True)
class Axis:
    """The differences that a column of the plot shows for a group of rows, in percentage points."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Where a difference is, in percent of the width."""
        span = self.high - self.low
        return round(100 * (value - self.low + MARGIN * span) / ((1 + 2 * MARGIN) * span), 2) if span else 50.0

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places and labels of round differences, among them zero: at least three, if there is more than zero."""
        if self.low == self.high:
            return [(self.at(0), "0")]
        power = floor(log10(self.high - self.low))
        steps = (factor * 10.0**place for place in (power, power - 1) for factor in STEPS)
        step, counts = next((step, counts) for step in steps if len(counts := self._multiples(step)) >= TICKS)
        return [(self.at(n * step), f"{n * step:g}".replace("-", "−")) for n in counts]

    def _multiples(self, step: float) -> range:
        return range(ceil(self.low / step), floor(self.high / step) + 1)


@dataclass(frozen=True)
class Interval:
    """A difference from the best: places in percent of the width, and in words."""

    at: float
    low: float
    high: float
    kind: str
    """`best`, `worse`, or empty: not shown to be worse."""
    words: str


@dataclass(frozen=True)
class Group:
    """Rows that are compared with each other."""

    axes: list[Axis | None]
    """Of each column; None where it has no number."""
    rows: list[tuple[str, list[Interval | None]]]
    """Of each row its name and its intervals; None where nothing is compared."""


@dataclass(frozen=True)
class Forest:
    """A line of intervals per row."""

    heads: list[str]
    groups: list[Group]


def forest(filled: Filled, cells: Sequence[Line]) -> Forest | None:
    """The plot of a table; None where no row is compared with another.

    Args:
        cells: the lines of the table in `cells.csv`.
    """
    width = len(filled.table.columns)
    columns = [i for i in range(width) if any("difference" in line for line in cells[i::width])]
    if not columns:
        return None
    groups: list[list[tuple[str, list[Line]]]] = [[]]
    for n, (row, begins) in enumerate(zip(filled.rows, groups_begin(filled), strict=True)):
        if begins:
            groups.append([])
        groups[-1].append((filled.describe(row), [cells[width * n + i] for i in columns]))
    return Forest([filled.table.columns[i].label for i in columns], [_group(rows) for rows in groups])


def _group(rows: Sequence[tuple[str, Sequence[Line]]]) -> Group:
    axes = [_axis(column) for column in zip(*(lines for _, lines in rows), strict=True)]
    drawn = [(name, [_interval(line, axis) for line, axis in zip(lines, axes, strict=True)]) for name, lines in rows]
    return Group(axes, drawn)


def _axis(column: Sequence[Line]) -> Axis | None:
    compared = [line for line in column if "difference" in line]
    if not compared and not any(line["best"] for line in column):
        return None
    low, high = (
        pick((line[f"corrected {end}"] for line in compared), default=0.0)
        for pick, end in ((min, "low"), (max, "high"))
    )
    return Axis(min(low, 0.0), max(high, 0.0))


def _interval(line: Line, axis: Axis | None) -> Interval | None:
    if axis is None or not (line["best"] or "difference" in line):
        return None
    if line["best"]:
        return Interval(axis.at(0), axis.at(0), axis.at(0), "best", "best")
    value, low, high = (line[name] for name in ("difference", "corrected low", "corrected high"))
    worse = not line["tied with the best"] and not line["worse with one seed"]
    words = f"{points(value)} (corrected interval {points(low)} to {points(high)})"
    return Interval(axis.at(value), axis.at(low), axis.at(high), "worse" if worse else "", words)
