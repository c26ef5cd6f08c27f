"""Cropping by masks."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.wbc_model.conftest import load, paint
from wbc_model.datasets.dataset import DataError
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.datasets.lisc import FOLDERS as LISC_FOLDERS


def test_lisc_is_cropped_by_its_masks(tmp_path: Path):
    """The mask lacks a margin of four pixels a side; its box lies around the drawn disc."""
    for folder in LISC_FOLDERS.values():
        for i in range(5):
            picture = np.full((116, 148, 3), 200, np.uint8)
            cv2.rectangle(picture, (50, 40), (89, 79), (10 * i, 20, 90), -1)
            mask = np.zeros((108, 140), np.uint8)
            cv2.rectangle(mask, (46, 36), (85, 75), 75, -1)
            main, truth = tmp_path / "data/LISC Database/Main Dataset", "Ground Truth Segmentation"
            for path, image in (
                (main / folder / f"{i}.bmp", picture),
                (main.parent / truth / folder / "areaforexpert1" / f"{i}_expert.bmp", mask),
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path)
    prepared = load(tmp_path / "data", dataset=LISC, image_size=100)
    assert sum(map(len, prepared.sets.values())) == 25
    for pixels in (pixels for images in prepared.sets.values() for pixels in images.pixels):
        inside = (pixels[..., 2] == 90).mean()
        assert inside == pytest.approx(1 / 1.24**2, abs=0.06)  # padded by 12 % a side
        assert pixels[50, 50, 2] == 90


def test_a_picture_without_its_mask_is_left_out_and_named(tmp_path: Path):
    for folder in LISC_FOLDERS.values():
        for i in range(2):
            paint(tmp_path / "LISC Database/Main Dataset" / folder / f"{i}.bmp")
    with pytest.raises(DataError, match=r"too few: none left.*\n.*10 left out.*its mask is missing"):
        load(tmp_path, dataset=LISC)
