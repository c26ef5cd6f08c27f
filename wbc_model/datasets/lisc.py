"""LISC: Rezatofighi and Soltanian-Zadeh 2011. Each picture has a mask that an expert painted."""

from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.drawn import DrawnAs

FOLDERS = dict(zip(CELLS, ("Baso", "mono", "eosi", "neut", "lymp"), strict=True))

DATASET = Dataset(
    name="lisc",
    label="LISC",
    classes=CELLS,
    source="the LISC page of its authors (Rezatofighi and Soltanian-Zadeh 2011); free for research",
    terms="free for research, no redistribution",
    places=("LISC Database/Main Dataset", "Main Dataset"),
    folders=FOLDERS,
    published={"all": dict(zip(CELLS, (53, 48, 39, 50, 52), strict=True))},
    sizes=(145, 48, 49),
    crop="mask",
    mask="../../Ground Truth Segmentation/{folder}/areaforexpert1/{stem}_expert.bmp",
    # From 145 images the paper's learning rate could not have led to its accuracy (docs/paper.md).
    copies=1000,
)
DRAWN = DrawnAs(
    aspect=5 / 4,
    fill=0.65,
    path=lambda part, cell, i: f"LISC Database/Main Dataset/{FOLDERS[cell]}/{i + 1}.bmp",  # noqa: ARG005
    enlarged=40,
)
