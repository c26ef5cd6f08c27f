"""What a cell of a table says when it is opened: its interval, its difference from the best, and the test."""

from collections.abc import Sequence
from math import isnan

from analysis.stats.evidence import Line
from analysis.tables.fill import Filled, Row
from search_spaces.table import Column

Answer = dict[str, str]
"""Lines of text by what they tell; empty where there is no number."""


def answers(filled: Filled, cells: Sequence[Line]) -> list[list[Answer]]:
    """Of each row, the answer of each of its cells.

    Args:
        cells: the lines of the table in `cells.csv`, which are printed here in words.
    """
    lines = iter(cells)
    return [[_answer(next(lines), row, column) for column in filled.table.columns] for row in filled.rows]


def _answer(line: Line, row: Row, column: Column) -> Answer:
    if isnan(line["mean"]):
        return {}
    test = row.runs[0].tests[(column.on or row.config.dataset).name]
    number = f"{line['mean']:.2f} %" if isnan(line["sd"]) else f"{line['mean']:.2f} ± {line['sd']:.2f} % (sample SD)"
    told = {
        "Verdict": _verdict(line),
        line["score"]: number,
        f"95 % interval over {line['images by']} and seeds": _interval(line, "", _assumed(line)),
        f"over {line['images by']} alone": _interval(line, "over images "),
        "over seeds alone": _interval(line, "over seeds "),
        **_comparison(line),
        "Seed SD": "assumed: no row that was tested on these images has two seeds" if line["seed SD assumed"] else "",
        "Based on": f"{test.images} test images, {_seeds(line['n'])}",
    }
    return {name: text for name, text in told.items() if text}


def _verdict(line: Line) -> str:
    if line["best"]:
        return "Best of its column, by the printed numbers"
    if reason := line["not tested"]:
        return f"Not tested: {reason}"
    if line["tied with the best"]:
        return "Tied with the best: not shown to be worse"
    if line["worse with one seed"]:
        return "This trained network is worse than the best one; one seed shows no method to be worse"
    return "Worse than the best" if "difference" in line else ""


def _comparison(line: Line) -> Answer:
    if "difference" not in line:
        return {}
    alone, corrected = (_ends(line, name) for name in ("difference", "corrected"))
    networks, assumed = line["p of the networks"], _assumed(line)
    variables = "two normal variables" if assumed else "a normal and a t variable (Behrens-Fisher)"
    return {
        "Best of the column": f"{line['best row']}, {_seeds(line['n of the best'])}",
        "Difference from it": f"{points(line['difference'])} points (95 % interval {alone}{assumed})",
        "95 % interval, corrected": f"{corrected}, by the corrected p{'' if isnan(networks) else ' of the networks'}: "
        "it excludes 0 exactly where that is below 0.05",
        "p": f"{_p(line['p'])}{assumed}",
        "p, corrected": f"{_p(line['p corrected'])}{assumed}, for all pairs of rows and all columns (max-t, step-down)",
        "p of the networks": "" if isnan(networks) else f"{_p(networks)}, over images alone, corrected",
        "Test": f"{line['test']}: paired by image; the sum of {variables}",
    }


def _assumed(line: Line) -> str:
    return ", with the assumed seed SD" if line["seed SD assumed"] else ""


def _interval(line: Line, name: str, assumed: str = "") -> str:
    low, high = line[f"{name}low"], line[f"{name}high"]
    return "" if isnan(low) else f"{low:.2f} to {high:.2f} %{assumed}"


def _ends(line: Line, name: str) -> str:
    return f"{points(line[f'{name} low'])} to {points(line[f'{name} high'])}"


def points(value: float) -> str:
    """A difference in percentage points, with its sign."""
    return f"{value:+.2f}".replace("-", "−")


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else "below 0.0001"


def _seeds(n: int) -> str:
    return "one seed" if n == 1 else f"{n} seeds"
