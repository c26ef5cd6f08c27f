"""The notes that say what the test images of a table are, and which cell types its letters mean."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from analysis.tables.fill import Filled
from study.plan import RunRecord
from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import Dataset, is_built_in, letters

CELL_TYPES = dict(zip(letters(CELLS), CELLS, strict=True))
"""The letters of the paper's cell types: B basophil."""


def test_sets(filled: Filled) -> str:
    """`LDWBC and LISC test sets`: those of the datasets that the rows are trained on."""
    *others, last = dict.fromkeys(config.dataset.title for config in filled.table.rows.values())
    return f"{', '.join(others)} and {last} test sets" if others else f"{last} test set"


def letter_notes(filled: Filled) -> list[str]:
    """What the letters of the paper's cell types mean, if a heading or the note on the test images has them."""
    return meanings_note(CELL_TYPES, CELL_TYPES) if has_cell_types(filled) else []


def has_cell_types(filled: Filled) -> bool:
    """Whether a heading or the note on the test images has letters of the paper's cell types."""
    named = classes_of(filled).items() <= CELL_TYPES.items() and bool(classes_of(filled))
    return named or any(is_built_in(on) for _, on in _tested(filled))


def classes_of(filled: Filled) -> dict[str, str]:
    """By heading, the classes whose recalls are columns."""
    recalls = [column for column in filled.table.columns if column.key.startswith("recall/")]
    return {column.label: column.key.removeprefix("recall/") for column in recalls}


def images_note(filled: Filled) -> str:
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
        f" A model trained on {own.title} knows no {listed(f'{cell}s' for cell in unknown)} "
        f"and is tested without them, on {listed(left.values())}."
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
    return listed(f"{images[cell]} {cell}" for cell in dataset.classes)


def listed(items: Iterable[object]) -> str:
    """`0, 1, 2`."""
    return ", ".join(map(str, items))


def meanings_note(words: Iterable[str], meanings: Mapping[str, str]) -> list[str]:
    """A note on the words that have a meaning: `OA accuracy, AP macro precision.`"""
    known = [f"{word} {meanings[word]}" for word in dict.fromkeys(words) if word in meanings]
    return [f"{', '.join(known)}."] if known else []
