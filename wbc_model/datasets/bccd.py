"""BCCD: 12,444 augmented copies of 348 photographs, as Kaggle publishes them. It has no basophils."""

from collections.abc import Mapping

from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import Dataset, Groups, Part
from wbc_model.datasets.drawn import DrawnAs

CLASSES = CELLS[1:]
PARTS: Mapping[Part, str] = {"train": "TRAIN", "test": "TEST"}

DATASET = Dataset(
    name="bccd",
    label="BCCD",
    classes=CLASSES,
    source="Kaggle, paultimothymooney/blood-cells",
    terms="MIT (the parent set)",
    places=("dataset2-master/dataset2-master/images", "dataset2-master/images", "images"),
    parts=PARTS,
    published={
        "train": dict(zip(CLASSES, (2478, 2497, 2499, 2483), strict=True)),
        "test": dict(zip(CLASSES, (620, 623, 624, 620), strict=True)),
    },
    sizes=(7404, 2467, 2465),
    crop="segment",
    groups=Groups(
        photographs=("dataset-master/dataset-master/JPEGImages", "dataset-master/JPEGImages", "JPEGImages"),
    ),
    copies="none",
)


def _path(part: Part, cell: str, i: int) -> str:
    """7919 is prime: no two of the first 10,000 have the same four digits."""
    return f"{2 * 'dataset2-master/'}images/{PARTS[part]}/{cell.upper()}/_{i % 20}_{i * 7919 % 10000}.jpeg"


DRAWN = DrawnAs(aspect=4 / 3, fill=0.6, path=_path)
