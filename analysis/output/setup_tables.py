"""Tables 1-3: the datasets, their sets and the training parameters, from the manifests in storage and the config."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from analysis.load import Study
from analysis.published.numbers import read_csv
from analysis.tables.fill import DASH
from analysis.tables.layout import TableLayout, head, plain_rows
from analysis.tables.notes import REHEARSAL_NOTE, marked
from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import letters
from wbc_model.preparation.splits import SPLITS

Strings = Sequence[str]


def setting(study: Study) -> list[TableLayout]:
    """Tables 1-3; without the data's manifests in the storage only Table 3."""
    return [*([_datasets(study), _sets(study)] if study.manifests else []), _parameters(study)]


def _datasets(study: Study) -> TableLayout:
    rows, other_sizes = {}, []
    for dataset, manifest in study.manifests.items():
        counts = Counter(entry.cell for entry in manifest.entries)
        numbers = [str(counts[c]) if c in dataset.classes else DASH for c in CELLS]
        sizes = Counter(entry.pixels for entry in manifest.entries if entry.pixels)
        size = max(sizes, key=sizes.__getitem__, default="")
        rows[dataset.title] = [*numbers, str(counts.total()), _pixel_size(size)]
        if len(sizes) > 1:
            other_sizes.append(f"{dataset.title} {sizes[size]} of {sizes.total()}")
    heads = letters(CELLS)
    printed = {line["dataset"]: [*(line[c] or DASH for c in heads), line["total"]] for line in read_csv("1")}
    for line in read_csv("1"):
        if rows.get(line["dataset"], [DASH])[-1] != DASH:  # in older manifests it is not known
            printed[line["dataset"]].append(_pixel_size(line["pixel_size"]))
    meaning = ", ".join(f"{letter} {cell}" for letter, cell in zip(heads, CELLS, strict=True))
    notes = [f"{meaning}.", "Pixel size: width × height of the image files, the most frequent one of each dataset."]
    notes += [f"Files of that size: {', '.join(other_sizes)}."] if other_sizes else []
    made_from = [manifest.file for manifest in study.manifests.values()]
    return _table(
        study, "1", "Images of the datasets", [*heads, "Total", "Pixel size"], rows, printed, notes, made_from
    )


def _pixel_size(size: str) -> str:
    return size.replace("x", " × ") or DASH


def _sets(study: Study) -> TableLayout:
    rows, left_out = {}, []
    for dataset, manifest in study.manifests.items():
        entries = manifest.entries
        used = Counter(entry.split for entry in entries if entry.split)
        copies = sum(entry.copies for entry in entries)
        sizes = [sum(used.values()), *(used[name] for name in SPLITS), used["train"] + copies]
        rows[dataset.title] = list(map(str, sizes))
        left_out += [f"{dataset.title} {out}"] if (out := sum(bool(entry.excluded) for entry in entries)) else []
    printed = {line["dataset"]: [line["total"], line["train"], line["val"], line["test"]] for line in read_csv("2")}
    notes = ["Augmented: the training set with its copies of rarer classes, shown in Fig. 4 of the article."]
    notes += [f"Images left out: {', '.join(left_out)}."] if left_out else []
    made_from = [manifest.file for manifest in study.manifests.values()]
    columns = ["Total", "Training", "Validation", "Test", "Augmented"]
    return _table(study, "2", "Images of the sets", columns, rows, printed, notes, made_from)


def _parameters(study: Study) -> TableLayout:
    config = study.proposed
    rows = {
        "Dropout ratio": [f"{config.dropout:g}"],
        "Initial learning rate": [_plain(config.lr)],
        "Batch size": [str(config.batch_size)],
        "Epoch": [str(config.epochs)],
    }
    printed = {line["parameter"]: [_plain(float(line["value"]))] for line in read_csv("3")}
    return _table(study, "3", "Parameters of the training", ["Value"], rows, printed, [], [], stub="Parameter")


def _plain(value: float) -> str:
    """As the article prints it, 0.00001 and not 1e-05."""
    return np.format_float_positional(value, trim="-")


def _table(
    study: Study,
    number: str,
    title: str,
    columns: Sequence[str],
    rows: Mapping[str, Strings],
    printed: Mapping[str, Strings],
    notes: Sequence[str],
    made_from: Sequence[str],
    *,
    stub: str = "Dataset",
) -> TableLayout:
    return TableLayout(
        number=number,
        title=marked(title, rehearsal=study.rehearsal),
        head=head([(stub,)], columns),
        body=plain_rows(rows),
        labels=1,
        centred=frozenset(),
        notes=(*notes, REHEARSAL_NOTE if study.rehearsal else _against(columns, rows, printed)),
        made_from=tuple(made_from),
    )


def _against(columns: Sequence[str], rows: Mapping[str, Strings], printed: Mapping[str, Strings]) -> str:
    """A note on the numbers in which the article differs."""
    differing = [
        f"{name} {article}" if len(columns) == 1 else f"{name} {column} {article}"
        for name, numbers in rows.items()
        for column, number, article in zip(columns, numbers, printed[name], strict=False)
        if number != article
    ]
    return f"The article has: {', '.join(differing)}." if differing else "As in the article."
