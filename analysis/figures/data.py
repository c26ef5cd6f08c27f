"""How many images of each class the augmented training sets have (Fig. 4), from the manifests in storage."""

from collections import Counter
from collections.abc import Mapping, Sequence
from string import ascii_lowercase

import numpy as np
from upath import UPath

from analysis.figures.style import COLOURS, SOFT, CannotDraw, Drawn, canvas
from analysis.tables.fill import Filled
from search_spaces.paper import DATASETS
from study.plan import RunRecord
from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import Dataset, letters
from wbc_model.preparation.manifest import Entry, read_manifest


def figure_4(tables: Mapping[str, Filled], storage: UPath | None) -> Drawn:
    """Images and copies of each cell type, one panel a dataset."""
    if storage is None:
        raise CannotDraw("it needs the data's manifests, which are in the study's storage (--runs)")
    found = {dataset: _manifest(storage, dataset, runs) for dataset, runs in _by_dataset(tables).items()}
    manifests = {dataset: entries for dataset, entries in found.items() if entries}
    if not manifests:
        raise CannotDraw(f"it needs the data's manifests, of which {storage / 'data'} has none of these runs'")
    figure = canvas(2.4)
    panels = np.atleast_1d(figure.subplots(1, len(manifests)))
    for i, (axes, (dataset, entries)) in enumerate(zip(panels, manifests.items(), strict=True)):
        images, copies = distribution(entries)
        axes.bar(range(len(CELLS)), images, color=COLOURS[1], label="images")
        axes.bar(range(len(CELLS)), copies, bottom=images, color="white", edgecolor=COLOURS[1], hatch="////",
                 linewidth=0.6, label="augmented copies")  # fmt: skip
        for x, total in enumerate(images + copies):
            if not total:
                continue
            axes.text(x, total, f"{total:,}", ha="center", va="bottom", fontsize=5.5, color=SOFT)
        axes.set_xticks(range(len(CELLS)), letters(CELLS))
        axes.set_title(f"{ascii_lowercase[i]}  {dataset.title}")
        axes.set_ylim(top=1.12 * (images + copies).max())
        axes.grid(axis="x", visible=False)
        axes.tick_params(axis="y", labelsize=6.5)
    panels[0].set_ylabel("Training images")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return Drawn(
        "4",
        "Cell types in the four augmented training sets",
        "B basophil, M monocyte, E eosinophil, N neutrophil, L lymphocyte; BCCD has no basophils. How many copies the "
        "paper made is not known.",
        figure,
        rehearsal=any(filled.rehearsal for filled in tables.values()),
    )


def distribution(entries: Sequence[Entry]) -> tuple[np.ndarray, np.ndarray]:
    """Training images and their copies, of each cell type in order."""
    images, copies = Counter[str](), Counter[str]()
    for entry in entries:
        if entry.split == "train":
            images[entry.cell] += 1
            copies[entry.cell] += entry.copies
    return np.array([images[cell] for cell in CELLS]), np.array([copies[cell] for cell in CELLS])


def _by_dataset(tables: Mapping[str, Filled]) -> dict[Dataset, list[RunRecord]]:
    """The runs under the study's usual augmentation and split, by dataset, in the paper's order."""
    runs = [
        run for filled in tables.values() if filled.table.number.isdigit() for row in filled.rows for run in row.runs
    ]
    return {dataset: mine for dataset in DATASETS if (mine := [r for r in runs if r.trial.config.dataset == dataset])}


def _manifest(storage: UPath, dataset: Dataset, runs: Sequence[RunRecord]) -> tuple[Entry, ...]:
    """That of the data which the runs were trained on."""
    files = [storage / "data" / f"{dataset}-{run.provenance.get('data')}.csv" for run in runs]
    file = next((file for file in files if file.exists()), None)
    return read_manifest(file) if file else ()
