"""The number of training images and augmented copies of each class (Fig. 4), from the manifests in storage."""

from collections import Counter
from collections.abc import Mapping, Sequence
from string import ascii_lowercase

import numpy as np

from analysis.figures.style import COLOURS, SOFT, CannotDraw, Drawn, canvas
from analysis.runs.manifests import Manifest
from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import Dataset, letters
from wbc_model.preparation.manifest import Entry


def figure_4(manifests: Mapping[Dataset, Manifest]) -> Drawn:
    """Images and copies of each cell type, one panel per dataset."""
    if not manifests:
        raise CannotDraw(
            "it needs the manifests of the runs' data, and there are none in the folder data/ of the storage "
            "(--storage)"
        )
    figure = canvas(2.4)
    panels = np.atleast_1d(figure.subplots(1, len(manifests)))
    for i, (axes, (dataset, manifest)) in enumerate(zip(panels, manifests.items(), strict=True)):
        images, copies = distribution(manifest.entries)
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
        "B basophil, M monocyte, E eosinophil, N neutrophil, L lymphocyte; BCCD has no basophils. The numbers of "
        "copies in the paper are not known.",
        figure,
    )


def distribution(entries: Sequence[Entry]) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of training images and of their copies, each (classes,) in the order of CELLS."""
    images, copies = Counter[str](), Counter[str]()
    for entry in entries:
        if entry.split == "train":
            images[entry.cell] += 1
            copies[entry.cell] += entry.copies
    return np.array([images[cell] for cell in CELLS]), np.array([copies[cell] for cell in CELLS])
