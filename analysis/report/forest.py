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

INTERVALS = 3
"""Most intervals between the ticks of an axis."""
MARGIN = 0.06
"""Room beside the data, as a share of its range."""


@dataclass(frozen=True)
class Axis:
    """The differences that a column of the plot shows, in percentage points."""

    label: str
    low: float
    high: float

    def at(self, value: float) -> float:
        """Where a difference is, in percent of the width."""
        room = MARGIN * (self.high - self.low)
        return round(100 * (value - self.low + room) / (self.high - self.low + 2 * room), 2)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places and labels of round differences, among them zero."""
        rough = (self.high - self.low) / INTERVALS
        power = 10.0 ** floor(log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        steps = range(ceil(self.low / step), floor(self.high / step) + 1)
        return [(self.at(n * step), f"{n * step:g}".replace("-", "−")) for n in steps]


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
class Forest:
    """A line of intervals per row; None where nothing is compared."""

    axes: list[Axis]
    rows: list[tuple[str, bool, list[Interval | None]]]
    """Of each row its name, whether a group of rows begins with it, and its intervals."""


def forest(filled: Filled, cells: Sequence[Line]) -> Forest | None:
    """The plot of a table; None where no row is compared with another.

    Args:
        cells: the lines of the table in `cells.csv`.
    """
    width = len(filled.table.columns)
    columns = [i for i in range(width) if any("difference" in line for line in cells[i::width])]
    if not columns:
        return None
    axes = [_axis([line for line in cells[i::width] if "difference" in line]) for i in columns]
    rows = []
    for n, (row, begins) in enumerate(zip(filled.rows, groups_begin(filled), strict=True)):
        own = [_interval(cells[width * n + i], axis) for i, axis in zip(columns, axes, strict=True)]
        rows.append((filled.describe(row), begins, own))
    return Forest(axes, rows)


def _axis(compared: Sequence[Line]) -> Axis:
    low, high = (pick(line[f"corrected {end}"] for line in compared) for pick, end in ((min, "low"), (max, "high")))
    return Axis(compared[0]["score"], min(low, 0.0), max(high, 0.0))


def _interval(line: Line, axis: Axis) -> Interval | None:
    if line["best"]:
        return Interval(axis.at(0), axis.at(0), axis.at(0), "best", "best")
    if "difference" not in line:
        return None
    value, low, high = (line[name] for name in ("difference", "corrected low", "corrected high"))
    worse = not line["tied with the best"] and not line["worse with one seed"]
    words = f"{points(value)} (corrected interval {points(low)} to {points(high)})"
    return Interval(axis.at(value), axis.at(low), axis.at(high), "worse" if worse else "", words)
