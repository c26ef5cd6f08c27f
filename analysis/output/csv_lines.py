"""The study as lines of CSV: a line a row of a table, a cell, a difference, a trial."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace

from analysis.runs.fingerprints import provenance_line
from analysis.stats.compare import Comparison, RowPredictions, differences
from analysis.stats.evidence import ComparedTable, CsvRow
from analysis.stats.paired import interval, mean_interval, share_interval
from analysis.tables.fill import Filled, Row, cells, percent, values
from search_spaces.table import Column
from wbc_model.config import TrialConfig

EQ_6 = Column("macro_f1_eq6", "AF1 by Eq. (6)")

Ends = tuple[float, float] | None


def table_csv(filled: Filled) -> str:
    """One line a row: kind (measured or rehearsal), overrides, config id, labels, seeds, mean and SD of each score.

    Beside AF1 stands what the paper's Eq. (6) would give for it, and last what the row's runs were made from.
    """
    stub = [heading or f"group {i}" for i, heading in enumerate(filled.table.stub, start=1)]
    columns = [*filled.table.columns, *([EQ_6] if any(c.key == "macro_f1" for c in filled.table.columns) else [])]
    scores = [name for column in columns for name in (column.label, f"{column.label} sd")]
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["kind", "overrides", "config", *stub, "seeds", *scores, "made from"])
    kind = "rehearsal" if filled.rehearsal else "measured"
    overrides = " ".join(f"{key}={value}" for key, value in filled.overrides.items())
    for row in filled.rows:
        seeds = " ".join(map(str, row.seeds))
        numbers = [number for cell in cells(columns, row.runs) for number in (cell.mean, cell.sd)]
        made_from = "; ".join(map(provenance_line, row.runs))
        out.writerow([kind, overrides, row.config.id, *row.labels, seeds, *numbers, made_from])
    return text.getvalue()


def cell_lines(compared: ComparedTable) -> list[CsvRow]:
    """One line a cell: its number, its intervals over seeds and over images, and its distance from the best."""
    filled = compared.filled
    against = {(one.row.labels, one.column): one for one in compared.comparisons}
    lines = []
    for row in filled.rows:
        for i, (column, cell) in enumerate(zip(filled.table.columns, row.cells, strict=True)):
            line = {"table": filled.table.number, "row": filled.describe(row), "score": column.label}
            seeds, images, by = intervals(row, compared.predictions_of(row, column), column)
            line |= {"n": len(row.runs), "mean": cell.mean, "sd": cell.sd}
            line |= _ends("over seeds", seeds) | _ends("over images", images) | {"images by": by}
            line |= {"best": cell.best, "tied with the best": cell.tied}
            one = against.get((row.labels, i))
            lines.append(line | (_compared(filled, one) if one else {}))
    return lines


def intervals(row: Row, called: RowPredictions | None, column: Column) -> tuple[Ends, Ends, str]:
    """Of a score in [0, 1]: 95 % over the seeds, 95 % over the test images, and how the latter was found."""
    scores = values(column, row.runs)
    seeds = mean_interval(scores) if len(scores) > 1 else None
    if not scores:
        return None, None, ""
    if len(scores) == 1 and not (called and called.images.grouped) and (counted := _share(row, column)):
        return seeds, share_interval(*counted), "Wilson"
    if called:
        of = "photographs" if called.images.grouped else "images"
        return seeds, interval(called.resampled(row.seeds)[column.key]), f"bootstrap of {of}"
    return seeds, None, ""


def _share(row: Row, column: Column) -> tuple[int, int] | None:
    """Hits and images behind a score of one run that is a share of images."""
    key, matrix = column.key, row.runs[0].tests[(column.on or row.config.dataset).name]
    if key == "accuracy":
        return sum(line[i] for i, line in enumerate(matrix.counts)), sum(map(sum, matrix.counts))
    if not key.startswith("recall/"):
        return None
    i = matrix.classes.index(key.removeprefix("recall/"))
    return matrix.counts[i][i], sum(matrix.counts[i])


def _compared(filled: Filled, one: Comparison) -> CsvRow:
    d = one.difference
    return {
        "best row": filled.describe(one.best),
        "difference": f"{100 * d.value:.2f}",
        **_ends("difference", (d.low, d.high)),
        "test": d.test,
        "p": f"{d.p:.4g}",
        "p Holm": f"{one.adjusted:.4g}",
    }


def _ends(name: str, ends: Ends) -> CsvRow:
    low, high = (f"{100 * end:.2f}" for end in ends) if ends else ("", "")
    return {f"{name} low": low, f"{name} high": high}


def delta_lines(compared: ComparedTable, proposed: TrialConfig) -> list[CsvRow]:
    """Every row less the proposed model's row on its dataset: what leaving out or changing one thing costs."""
    filled, lines = compared.filled, []
    ours = {
        row.config.dataset: row for row in filled.rows if row.config == replace(proposed, dataset=row.config.dataset)
    }
    for row in filled.rows:
        reference = ours.get(row.config.dataset, row)
        if reference is row or not {row.labels, reference.labels} <= set(compared.called):
            continue
        seeds, each = differences(compared.called[row.labels], compared.called[reference.labels])
        for column in filled.table.columns:
            if d := each.get(column.key):
                line = {"table": filled.table.number, "row": filled.describe(row), "less": filled.describe(reference)}
                line |= {"score": column.label, "n": len(seeds), "difference": f"{100 * d.value:.2f}"}
                lines.append(line | _ends("difference", (d.low, d.high)) | {"test": d.test, "p": f"{d.p:.4g}"})
    return lines


def cost_lines(tables: Iterable[Filled]) -> list[CsvRow]:
    """One line a trial: what it cost and how well it did, for a plot of accuracy against GPU-hours."""
    runs = {run.trial.id: run for filled in tables for row in filled.rows for run in row.runs}
    return [
        {"trial": run.trial.id, "dataset": run.trial.config.dataset, "name": run.trial.name, "seed": run.trial.seed}
        | {"device": run.provenance.get("device", ""), "hours": f"{run.seconds / 3600:.4f}"}
        | {"OA": percent(run.test.accuracy), "AF1": percent(run.test.scores()["macro_f1"])}
        for run in runs.values()
    ]


def to_csv(lines: Sequence[CsvRow], *, kind: str) -> str:
    """Lines of equal or fewer columns than the longest; what kind of numbers they are stands first."""
    names = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO()
    out = csv.DictWriter(text, ["kind", *names], restval="", lineterminator="\n")
    out.writeheader()
    out.writerows({"kind": kind} | line for line in lines)
    return text.getvalue()
