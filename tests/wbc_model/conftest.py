"""LDWBC in miniature, and how it is prepared."""

from pathlib import Path

import pytest
from PIL import Image

from wbc_model.choices import Augmentation, ImageSource
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.ldwbc import DATASET as LDWBC
from wbc_model.datasets.spec import DataSpec
from wbc_model.preparation.cache import Prepared, prepare

LDWBC_FOLDERS = ("Basophil", "monocyte_crops", "EOSINOPHIL", "neutrophils", "Lymphocyte")


def paint(file: Path, colour: tuple[int, int, int] = (200, 30, 90)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), colour).save(file)


@pytest.fixture
def ldwbc(tmp_path: Path) -> Path:
    for i, folder in enumerate(LDWBC_FOLDERS):
        for k in range(5):
            paint(tmp_path / "data" / "LDWBC" / folder / f"{k}.png", (40 * i, 10 * k, 120))
    return tmp_path / "data"


def load(
    data: Path,
    *,
    into: Path | None = None,
    dataset: Dataset = LDWBC,
    images: ImageSource = ImageSource.PUBLISHED,
    augmentation: Augmentation = Augmentation.NONE,
    image_size: int = 32,
    macenko: bool = False,
    limit: float | None = None,
) -> Prepared:
    cache = into or data.parent / "cache"
    spec = DataSpec(dataset=dataset, images=images, augmentation=augmentation, image_size=image_size, macenko=macenko)
    return prepare(spec, data=data, cache=cache, workers=2, limit=limit)
