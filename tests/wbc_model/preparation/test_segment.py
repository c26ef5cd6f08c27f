"""Finding white cells: on drawings, whose masks are known, and on BCCD's photographs, whose boxes people drew."""

import csv
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from wbc_model.choices import CELLS
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.find import ImageFile
from wbc_model.datasets.images import read_rgb
from wbc_model.datasets.ldwbc import DATASET as LDWBC
from wbc_model.preparation.crop import crop, square
from wbc_model.preparation.segment import find_cells
from wbc_model.synthetic.cells import Drawing, draw_cell

BOXES = Path(__file__).parent / "bccd_boxes.csv"
"""White cells of BCCD's photographs (MIT, github.com/Shenggan/BCCD_Dataset): picture, left, top, right, bottom."""


def drawing(cell: str, seed: int, *, height: int = 240) -> Drawing:
    return draw_cell(cell, np.random.default_rng(seed), height=height, width=height * 4 // 3, fill=0.5)


@pytest.mark.parametrize("height", [64, 240])
@pytest.mark.parametrize("cell", CELLS[1:])
def test_the_drawn_cell_is_found(cell: str, height: int):
    shares = []
    for seed in range(8):
        picture = drawing(cell, seed, height=height)
        left, top, right, bottom = find_cells(picture.pixels)[0].box
        shares.append(picture.cell_mask[top:bottom, left:right].sum() / picture.cell_mask.sum())
    assert np.mean(shares) > 0.75


def test_black_corners_do_not_change_the_cell():
    """Check 9: a picture turned by 20 degrees on black gives the same cell."""
    for seed in range(5):
        picture = drawing("lymphocyte", seed)
        middle = np.array([160, 120])
        turn = cv2.getRotationMatrix2D((160, 120), 20, 1.0)
        turned = cv2.warpAffine(picture.pixels, turn, (320, 240))
        mask = cv2.warpAffine(picture.cell_mask.astype(np.uint8), turn, (320, 240))
        (first, *_) = find_cells(turned)
        at = np.array([(first.box[0] + first.box[2]) / 2, (first.box[1] + first.box[3]) / 2])
        true = np.array(np.nonzero(mask)[::-1]).mean(1)
        assert np.linalg.norm(at - true) < 15, f"{at} for {true}, middle {middle}"
        assert first.nucleus == pytest.approx(find_cells(picture.pixels)[0].nucleus, rel=0.2)


def test_where_there_is_no_cell_none_is_found():
    assert find_cells(np.full((240, 320, 3), 220, np.uint8)) == []
    assert find_cells(np.zeros((240, 320, 3), np.uint8)) == []


def test_boxes_become_square_within_the_picture():
    assert square((10, 20, 30, 60), height=100, width=100) == (0, 20, 40, 60)
    assert square((40, 20, 60, 60), height=100, width=100) == (30, 20, 70, 60)
    assert square((0, 0, 90, 10), height=50, width=100) == (0, 0, 90, 50)


def test_bccd_is_cropped_and_ldwbc_is_not():
    picture = drawing("monocyte", 0).pixels
    sample = ImageFile("a", "monocyte", "all", Path())
    assert crop(sample, picture, dataset=LDWBC) is picture
    cropped = crop(sample, picture, dataset=BCCD)
    assert cropped.shape[0] < 240
    assert abs(cropped.shape[0] - cropped.shape[1]) <= 1


@pytest.mark.slow
def test_the_white_cells_of_bccd_photographs(shared: Path):
    """Against boxes that people drew, at an intersection over union of 0.5."""
    truth = defaultdict(list)
    with BOXES.open(newline="") as file:
        for name, *box in csv.reader(file):
            truth[name].append([int(side) for side in box])
    found = right = 0
    photographs = sorted((shared / "data/bccd").rglob("JPEGImages/*.jpg"))
    assert len(photographs) == 366
    for path in photographs:
        half = read_rgb(path)[::2, ::2]
        boxes = [2 * np.array(cell.box) for cell in find_cells(half)]
        found += len(boxes)
        right += sum(any(iou(box, true) >= 0.5 for box in boxes) for true in truth[path.stem])
    assert right / sum(map(len, truth.values())) >= 0.97
    assert right / found >= 0.93


def iou(a: np.ndarray, b: list[int]) -> float:
    width, height = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    both = max(0, width) * max(0, height)
    return both / sum([(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)], -both)
