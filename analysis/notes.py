"""What a reader is told round a table, the same in every format."""

from analysis.tables import TICK, Filled

REHEARSAL_NOTE = "Rehearsal: tiny networks on drawn images. These numbers say nothing about the paper."

MEANINGS = {
    "OA": "accuracy",
    "AP": "macro precision",
    "AR": "macro recall",
    "AF1": "macro F1",
    "B": "basophil",
    "M": "monocyte",
    "E": "eosinophil",
    "N": "neutrophil",
    "L": "lymphocyte",
    "RM": "ResNet module",
    "DM": "DenseNet module",
    "TL": "transfer learning",
}


def title(filled: Filled) -> str:
    """The table's title with its unit; a rehearsal says so first."""
    return f"{'REHEARSAL. ' if filled.rehearsal else ''}{filled.table.title} (%)"


def notes(filled: Filled) -> list[str]:
    """Departures from the paper, the seeds behind the numbers, the table's own notes, and what its headings mean."""
    lines = [REHEARSAL_NOTE] if filled.rehearsal else []
    if departures := ", ".join(f"{key}={value}" for key, value in filled.overrides.items()):
        lines.append(f"Departs from the paper: {departures}.")
    lines += [_seeds(filled)] if any(row.runs for row in filled.rows) else []
    if empty := sum(not row.runs for row in filled.rows):
        lines.append(f"{empty} of {len(filled.rows)} rows missing.")
    if any(cell.mean is None for row in filled.rows if row.runs for cell in row.cells):
        lines.append("A dash in a row with numbers: the dataset has no such cell type.")
    if any(cell.best for row in filled.rows for cell in row.cells):
        lines.append("Best results in bold, by the numbers as printed.")
    return [*lines, *filled.table.notes, _headings(filled)]


def _seeds(filled: Filled) -> str:
    """Over which seeds the numbers go, and the rows with others."""
    runs = [row for row in filled.rows if row.runs]
    usual = max((row.seeds for row in runs), key=len, default=filled.seeds)
    others = [f"{filled.describe(row)} ({', '.join(map(str, row.seeds))})" for row in runs if row.seeds != usual]
    numbers = ", ".join(map(str, usual))
    line = f"One seed ({numbers})" if len(usual) == 1 else f"Mean ± sample SD over {len(usual)} seeds ({numbers})"
    return f"{line}; other seeds: {', '.join(others)}." if others else f"{line}."


def _headings(filled: Filled) -> str:
    """`OA accuracy, AP macro precision, ...`, as the paper writes it."""
    headings = (*filled.table.stub, *(column.label for column in filled.table.columns))
    words = dict.fromkeys(word for heading in headings for word in heading.split())
    return f"{', '.join(f'{word} {MEANINGS[word]}' for word in words if word in MEANINGS)}."


def repeats(filled: Filled) -> list[bool]:
    """For each row, whether its first label is that of the row above, and so not shown again. Ticks always are."""
    firsts = [row.labels[0] for row in filled.rows]
    return [now == above != TICK for above, now in zip([None, *firsts], firsts, strict=False)]


def groups_begin(filled: Filled) -> list[bool]:
    """For each row but the first, whether it begins a new group of rows that compete for bold."""
    heads = [row.labels[: filled.table.best_within] for row in filled.rows]
    return [False] + [now != above for above, now in zip(heads, heads[1:], strict=False)]
