"""The title, notes and footnotes of a table, the same in every format."""

from dataclasses import replace
from string import ascii_lowercase

from analysis.runs.evaluated import EVALUATED
from analysis.tables.command_line import command
from analysis.tables.fill import TICK, Filled
from analysis.tables.tested_images import (
    classes_of,
    has_cell_types,
    images_note,
    letter_notes,
    listed,
    meanings_note,
    test_sets,
)
from search_spaces.extensions import CROSS_NOTE
from search_spaces.paper import MACRO_F1, RECALL

REHEARSAL_NOTE = "Rehearsal: tiny networks on drawn or small images. These numbers say nothing about the paper."

MEANINGS = {
    "OA": "accuracy",
    "AP": "macro precision",
    "AR": "macro recall",
    "AF1": "macro F1",
    "RM": "ResNet module",
    "DM": "DenseNet module",
    "TL": "transfer learning",
}

LACKS = "A dash in a row with numbers: the test set lacks this cell type."
OF_SCORES = MACRO_F1, RECALL, CROSS_NOTE
"""Notes of tables that say what their columns are."""


def marked(title: str, *, rehearsal: bool) -> str:
    """A title that tells a rehearsal."""
    return f"REHEARSAL. {title}" if rehearsal else title


def title(filled: Filled) -> str:
    """The table's title with its test sets and its unit, marked if it is a rehearsal."""
    where = "" if any(column.on for column in filled.table.columns) else f" on the {test_sets(filled)}"
    return marked(f"{filled.table.title}{where} (%)", rehearsal=filled.rehearsal)


def study_notes(filled: Filled) -> list[str]:
    """What the whole study departs from the paper in."""
    lines = [REHEARSAL_NOTE] if filled.rehearsal else []
    if departures := ", ".join(f"{key}={value}" for key, value in filled.overrides.items()):
        lines.append(f"Departs from the paper: {departures}.")
    return lines


def general_notes(filled: Filled) -> list[str]:
    """What holds for every table that has it, and is printed once: departures from the paper, signs, headings."""
    lines = study_notes(filled)
    if any(cell.best for row in filled.rows for cell in row.cells):
        lines.append("Best results in bold, by the printed numbers.")
    lines += filled.sign_notes
    if any(cell.mean is None for row in filled.rows if row.runs for cell in row.cells):
        lines.append(LACKS)
    scores = [word for column in filled.table.columns for word in column.label.split()]
    lines += [*(note for note in filled.table.notes if note == MACRO_F1), *meanings_note(scores, MEANINGS)]
    return [*lines, *letter_notes(filled)]


def row_notes(filled: Filled, *, pooled: bool) -> list[str]:
    """Those of `notes` that hold for the rows whatever their columns are: nothing on scores and statistical tests.

    Args:
        pooled: whether a number is of all seeds together, and not a mean with an SD over seeds.
    """
    own = tuple(note for note in filled.table.notes if note not in OF_SCORES)
    table = replace(filled.table, columns=(), notes=own)
    return notes(replace(filled, table=table, test_notes=()), pooled=pooled)


def notes(filled: Filled, *, pooled: bool = False) -> list[str]:
    """Seeds, test images, statistical tests, the table's own notes, and abbreviations of its rows and classes."""
    lines = []
    if any(row.runs for row in filled.rows):
        lines += [_seeds(filled, pooled=pooled), images_note(filled)]
        lines += [f"{letter}: n = {len(seeds)} ({listed(seeds)})." for letter, seeds in _others(filled).items()]
    if empty := sum(not row.runs for row in filled.rows):
        lines.append(f"{empty} of {len(filled.rows)} rows missing; to fill them: {command(filled)}")
    lines += [*filled.test_notes, *_evaluated(filled), *_devices(filled)]
    lines += [note for note in filled.table.notes if note != MACRO_F1]
    classes = {} if has_cell_types(filled) else classes_of(filled)
    return [*lines, *meanings_note(" ".join(filled.table.stub).split(), MEANINGS), *meanings_note(classes, classes)]


def _evaluated(filled: Filled) -> list[str]:
    """Which runs are other trials' models that were tested later, and on what they had seen before."""
    runs = [run for row in filled.rows for run in row.runs if EVALUATED in run.provenance]
    if not runs:
        return []
    trials = sorted({run.provenance[EVALUATED]["trial"] for run in runs})
    named = f"Not trained for this table: the models of trials {listed(trials)}"
    others = {column.on.title for column in filled.table.columns if column.on}
    remarks = [
        f"{run.trial.config.dataset.title}'s model on {title}: {remark}."
        for run in runs
        for title, remark in run.provenance[EVALUATED]["remarks"].items()
        if title in others
    ]
    return [f"{named}, tested on the other datasets later." if others else f"{named}.", *remarks]


def _devices(filled: Filled) -> list[str]:
    """Which trials were resumed on another kind of device, on which the same arithmetic rounds differently."""
    trained = {run.trial.id: run.provenance.get("devices") for row in filled.rows for run in row.runs}
    moved = [f"trial {name} ({', then '.join(devices)})" for name, devices in trained.items() if devices]
    return [f"Resumed on another kind of device: {'; '.join(moved)}."] if moved else []


def _seeds(filled: Filled, *, pooled: bool) -> str:
    """The seeds of most rows; the other rows have footnotes."""
    usual = _usual_seeds(filled)
    what = "Pooled" if pooled else "Mean ± sample SD"
    line = f"{what} over n = {len(usual)} seeds" if len(usual) > 1 else "One seed"
    return f"{line} ({listed(usual)})."


def footnotes(filled: Filled) -> dict[tuple[str, ...], str]:
    """By labels, the footnote letter of each row whose seeds differ from those of most rows."""
    return {
        row.labels: letter for row in filled.rows for letter, seeds in _others(filled).items() if row.seeds == seeds
    }


def _others(filled: Filled) -> dict[str, tuple[int, ...]]:
    """By footnote letter, each other set of seeds that some row has."""
    usual = _usual_seeds(filled)
    others = dict.fromkeys(row.seeds for row in filled.rows if row.runs and row.seeds != usual)
    return dict(zip(ascii_lowercase, others, strict=False))


def _usual_seeds(filled: Filled) -> tuple[int, ...]:
    return max((row.seeds for row in filled.rows if row.runs), key=len, default=filled.seeds)


def repeats(filled: Filled) -> list[bool]:
    """For each row, whether its first label repeats that of the row above and is not shown; ticks are always shown."""
    firsts = [row.labels[0] for row in filled.rows]
    return [now == above and now not in (TICK, "") for above, now in zip([None, *firsts], firsts, strict=False)]


def groups_begin(filled: Filled) -> list[bool]:
    """For each row, whether it begins a new group of rows that are compared with each other; the first does not."""
    heads = [row.labels[: filled.table.best_within] for row in filled.rows]
    return [False] + [now != above for above, now in zip(heads, heads[1:], strict=False)]
