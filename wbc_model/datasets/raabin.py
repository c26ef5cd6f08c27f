"""Raabin-WBC: Kouzehkanan et al. 2022, the double-labelled cropped cells; the paper uses Train and TestA."""

from collections.abc import Mapping

from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import Dataset, Groups, Part
from wbc_model.datasets.drawn import DrawnAs

PARTS: Mapping[Part, str] = {"train": "Train", "test": "TestA"}

DATASET = Dataset(
    name="raabin",
    label="Raabin",
    classes=CELLS,
    source="raabindata.com, the double-labelled cropped cells: Train and Test-A",
    terms="as stated at raabindata.com",
    places=("Raabin*", "."),
    parts=PARTS,
    published={
        "train": dict(zip(CELLS, (212, 561, 744, 6231, 2427), strict=True)),
        "test": dict(zip(CELLS, (89, 234, 322, 2660, 1034), strict=True)),
    },
    sizes=(7631, 2544, 4339),
    # 95-5-10-1_1057_1.jpg is of slide 95-5-10-1. Basophils, 20190526_163027_0.jpg, name no slide but the moment of the
    # photograph.
    groups=Groups(pattern=r"([0-9]{8}_[0-9]{6}|[^/_]+)_[^/]*$"),
)


def _path(part: Part, cell: str, i: int) -> str:
    """As published, a slide has cells of all types, in both parts."""
    number = CELLS.index(cell) + 1 + len(CELLS) * (part == "test")
    return f"Raabin-WBC/{PARTS[part]}/{cell.capitalize()}/95-8-{i // 25 + 1}-1_{i + 1}_{number}.jpg"


DRAWN = DrawnAs(aspect=1, fill=0.85, path=_path)
