"""The title, notes and footnotes of a table, the same in every format."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from string import ascii_lowercase

from analysis.runs.evaluated import EVALUATED
from analysis.tables.command_line import command
from analysis.tables.fill import TICK, Filled
from search_spaces.extensions import CROSS_NOTE
from search_spaces.paper import MACRO_F1, RECALL
from study.plan import RunRecord
from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import Dataset, is_built_in, letters

REHEARSAL_NOTE = "Rehearsal: tiny networks on drawn or small images. These numbers say nothing about the paper."

CELL_TYPES = dict(zip(letters(CELLS), CELLS, strict=True))
"""The letters of the paper's cell types: B basophil."""

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


def test_sets(filled: Filled) -> str:
    """`LDWBC and LISC test sets`: those of the datasets that the rows are trained on."""
    *others, last = dict.fromkeys(config.dataset.title for config in filled.table.rows.values())
    return f"{', '.join(others)} and {last} test sets" if others else f"{last} test set"


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
    lines += [*(note for note in filled.table.notes if note == MACRO_F1), *_meanings(scores, MEANINGS)]
    return [*lines, *letter_notes(filled)]


def letter_notes(filled: Filled) -> list[str]:
    """What the letters of the paper's cell types mean, if a heading or the note on the test images has them."""
    return _meanings(CELL_TYPES, CELL_TYPES) if _has_cell_types(filled) else []


def _has_cell_types(filled: Filled) -> bool:
    named = _classes(filled).items() <= CELL_TYPES.items() and bool(_classes(filled))
    return named or any(is_built_in(on) for _, on in _tested(filled))


def _classes(filled: Filled) -> dict[str, str]:
    """By heading, the classes whose recalls are columns."""
    recalls = [column for column in filled.table.columns if column.key.startswith("recall/")]
    return {column.label: column.key.removeprefix("recall/") for column in recalls}


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
        lines += [_seeds(filled, pooled=pooled), _images(filled)]
        lines += [f"{letter}: n = {len(seeds)} ({_list(seeds)})." for letter, seeds in _others(filled).items()]
    if empty := sum(not row.runs for row in filled.rows):
        lines.append(f"{empty} of {len(filled.rows)} rows missing; to fill them: {command(filled)}")
    lines += [*filled.test_notes, *_evaluated(filled), *_devices(filled)]
    lines += [note for note in filled.table.notes if note != MACRO_F1]
    classes = {} if _has_cell_types(filled) else _classes(filled)
    return [*lines, *_meanings(" ".join(filled.table.stub).split(), MEANINGS), *_meanings(classes, classes)]


def _evaluated(filled: Filled) -> list[str]:
    """Which runs are other trials' models that were tested later, and on what they had seen before."""
    runs = [run for row in filled.rows for run in row.runs if EVALUATED in run.provenance]
    if not runs:
        return []
    trials = sorted({run.provenance[EVALUATED]["trial"] for run in runs})
    named = f"Not trained for this table: the models of trials {_list(trials)}"
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
    return f"{line} ({_list(usual)})."


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


def _images(filled: Filled) -> str:
    """How many test images of each dataset there are, and which classes a model does not know and was not tested on."""
    sizes: dict[Dataset, str] = {}
    fewer: dict[tuple[Dataset, tuple[str, ...]], dict[Dataset, str]] = defaultdict(dict)
    for run, on in _tested(filled):
        own, test = run.trial.config.dataset, run.tests[on.name]
        images = dict(zip(test.classes, map(sum, test.counts), strict=True))
        if unknown := tuple(cell for cell in on.classes if cell not in own.classes):
            fewer[own, unknown][on] = f"{on.title} {sum(images.values())}"
        else:
            sizes[on] = f"{on.title} {_by_class(on, images)}, {sum(images.values())} in all"
    excluded = [
        f" A model trained on {own.title} knows no {_list(f'{cell}s' for cell in unknown)} "
        f"and is tested without them, on {_list(left.values())}."
        for (own, unknown), left in fewer.items()
    ]
    return f"Test images: {'; '.join(sizes.values())}.{''.join(excluded)}"


def _tested(filled: Filled) -> list[tuple[RunRecord, Dataset]]:
    """Each run with each dataset whose test images the table has its scores on; its own if no column says which."""
    return [
        (run, on)
        for row in filled.rows
        for on in dict.fromkeys(column.on or row.config.dataset for column in filled.table.columns)
        or [row.config.dataset]
        for run in row.runs
        if on.name in run.tests
    ]


def _by_class(dataset: Dataset, images: Mapping[str, int]) -> str:
    """`1/2 B/M` for a dataset of the paper, whose letters a general note tells; `1 band, 2 monocyte` for another."""
    if is_built_in(dataset):
        return f"{'/'.join(str(images[cell]) for cell in dataset.classes)} {'/'.join(letters(dataset.classes))}"
    return _list(f"{images[cell]} {cell}" for cell in dataset.classes)


def _list(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))


def _meanings(words: Iterable[str], meanings: Mapping[str, str]) -> list[str]:
    """A note on the words that have a meaning: `OA accuracy, AP macro precision.`"""
    known = [f"{word} {meanings[word]}" for word in dict.fromkeys(words) if word in meanings]
    return [f"{', '.join(known)}."] if known else []


def repeats(filled: Filled) -> list[bool]:
    """For each row, whether its first label repeats that of the row above and is not shown; ticks are always shown."""
    firsts = [row.labels[0] for row in filled.rows]
    return [now == above and now not in (TICK, "") for above, now in zip([None, *firsts], firsts, strict=False)]


def groups_begin(filled: Filled) -> list[bool]:
    """For each row, whether it begins a new group of rows that are compared with each other; the first does not."""
    heads = [row.labels[: filled.table.best_within] for row in filled.rows]
    return [False] + [now != above for above, now in zip(heads, heads[1:], strict=False)]
