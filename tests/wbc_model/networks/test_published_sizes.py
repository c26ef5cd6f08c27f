"""Drawn datasets of the published sizes, from files to arrays: Table 2 to the image."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search_spaces.paper import DATASETS
from wbc_model.choices import ImageSource
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.drawn import drawn_as
from wbc_model.datasets.find import DRAWN_MARK
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.datasets.spec import DataSpec
from wbc_model.preparation.cache import prepare
from wbc_model.synthetic.cells import draw_cell
from wbc_model.synthetic.folders import counts, write

DAMAGED = {"train": 86, "test": 22}
"""Of BCCD, so that as many are left out as in the paper: 108."""


def published(dataset: Dataset, root: Path) -> None:
    """As many files as published, each a link to a drawing of its cell type (LISC, which is small, is drawn whole)."""
    if dataset == LISC:
        write(root, datasets=[dataset], share=1, side=64)
        return
    for part, cells in counts(dataset, share=1).items():
        damaged = DAMAGED.get(part, 0) if dataset == BCCD else 0
        for cell, n in cells.items():
            drawing = root / f"{part}-{cell}.png"
            root.mkdir(parents=True, exist_ok=True)
            (root / DRAWN_MARK).touch()
            Image.fromarray(draw_cell(cell, np.random.default_rng(0), height=64, width=85, fill=0.4).pixels).save(
                drawing
            )
            for i in range(n):
                file = root / drawn_as(dataset).path(part, cell, i)
                file.parent.mkdir(parents=True, exist_ok=True)
                if damaged:
                    file.touch()
                    damaged -= 1
                else:
                    os.link(drawing, file)


@pytest.mark.slow
@pytest.mark.parametrize("dataset", DATASETS, ids=str)
def test_table_2_from_files_to_arrays(dataset: Dataset, tmp_path: Path):
    published(dataset, tmp_path / "data")
    uncropped = replace(dataset, crop="none", mask="") if dataset == BCCD else dataset  # segmentation takes minutes
    spec = DataSpec(dataset=uncropped, images=ImageSource.DRAWN, image_size=32)
    prepared = prepare(spec, data=tmp_path / "data", cache=tmp_path / "cache")
    assert Counter(entry.split for entry in prepared.manifest if entry.split) == dict(
        zip(("train", "validation", "test"), dataset.sizes, strict=True)
    )
    assert sum(bool(entry.excluded) for entry in prepared.manifest) == (108 if dataset == BCCD else 0)
    sizes = {name: len(images.pixels) for name, images in prepared.sets.items()}
    assert (sizes["validation"], sizes["test"]) == dataset.sizes[1:]
    copies = np.bincount(prepared.sets["train"].labels)
    assert len(set(copies)) == 1 or dataset == BCCD
