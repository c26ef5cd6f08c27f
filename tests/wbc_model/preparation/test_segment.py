"""Finding white cells: on drawings, whose masks are known, and on BCCD's photographs, whose boxes people drew."""

import csv
from collections import defaultdict
from collections.abc import Sequence
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
        left, top, right, bottom = square(find_cells(picture.pixels)[0].box, height=height, width=height * 4 // 3)
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


@pytest.mark.parametrize("light", [(1, 0.8, 0.55), (0.6, 0.9, 1)])
def test_the_colour_of_light_does_not_move_the_cell(light: tuple[float, float, float]):
    pixels = drawing("monocyte", 3).pixels
    (cell,) = find_cells((pixels * np.array(light)).astype(np.uint8))
    assert iou(cell.box, find_cells(pixels)[0].box) > 0.9


def test_uneven_light_does_not_move_the_cell():
    """Where red light is missing, as in the middle here, it seems absorbed as by a nucleus."""
    pixels = drawing("lymphocyte", 2).pixels
    y, x = np.linspace(-1, 1, 240)[:, None], np.linspace(-1, 1, 320)
    light = np.exp(-0.8 * (2 - x**2 - y**2)[..., None] * np.array([0.5, 0.2, 0]))
    (cell,) = find_cells((pixels * light).astype(np.uint8))
    assert iou(cell.box, find_cells(pixels)[0].box) > 0.9


@pytest.mark.slow
def test_the_white_cells_of_bccd_photographs(shared: Path):
    """Against boxes that people drew, at an intersection over union of 0.5."""
    recall, precision = scores(bccd(shared, every=2))
    assert recall >= 0.97
    assert precision >= 0.93


@pytest.mark.slow
def test_the_white_cells_of_another_microscope(shared: Path):
    recall, precision = scores(chula(shared))
    assert recall >= 0.90
    assert precision >= 0.80


@pytest.mark.slow
@pytest.mark.parametrize("margin", [1.0, 1.6])
@pytest.mark.parametrize("side", [120, 240, 360])
def test_a_picture_of_one_cell_gives_that_cell(side: int, margin: float, shared: Path):
    """Squares around boxes that people drew, enlarged by a margin: the box found holds most of the one drawn."""
    right = []
    for rgb, boxes in [*bccd(shared)[::8], *chula(shared)]:
        for box in boxes:
            picture, true = around(rgb, box, side=side, margin=margin)
            if sum(overlaps(box, other, margin) for other in boxes) == 1:
                cells = find_cells(picture)
                right.append(len(cells) == 1 and share_within(true, cells[0].box) > 0.7)
    assert len(right) > 80
    assert np.mean(right) >= 0.93


def bccd(shared: Path, *, every: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    """BCCD's photographs, every n-th row and column, and their boxes (n, 4)."""
    truth = defaultdict(list)
    with BOXES.open(newline="") as file:
        for name, *box in csv.reader(file):
            truth[name].append([int(side) / every for side in box])
    paths = sorted((shared / "data/bccd").rglob("JPEGImages/*.jpg"))
    assert len(paths) == 366
    return [(read_rgb(path)[::every, ::every], np.array(truth[path.stem]).reshape(-1, 4)) for path in paths]


def chula(shared: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fields of another microscope and their boxes (n, 4), which are kept in YOLO's form."""
    fields = []
    for path in sorted((shared / "data/chula/images").glob("*.jpg")):
        rgb = read_rgb(path)
        x, y, w, h = np.loadtxt(shared / f"data/chula/labels/{path.stem}.txt", ndmin=2)[:, 1:].T
        sides = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
        fields.append((rgb, sides * np.tile(rgb.shape[1::-1], 2)))
    assert len(fields) == 55
    return fields


def scores(pictures: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Recall and precision at an intersection over union of 0.5."""
    found = right = true = 0
    for rgb, boxes in pictures:
        cells = find_cells(rgb)
        found, true = found + len(cells), true + len(boxes)
        right += sum(any(iou(cell.box, box) >= 0.5 for cell in cells) for box in boxes)
    return right / true, right / found


def around(rgb: np.ndarray, box: np.ndarray, *, side: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """The square around a box as a picture whose longer side has `side` pixels, and the box in it."""
    middle, half = (box[:2] + box[2:]) / 2, margin * (box[2:] - box[:2]).max() / 2
    left, top = np.maximum(middle - half, 0).astype(int)
    part = rgb[top : int(middle[1] + half), left : int(middle[0] + half)]
    scale = side / max(part.shape[:2])
    true = (box - [left, top, left, top]).clip(0, np.tile(part.shape[1::-1], 2)) * scale
    return cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), true


def overlaps(box: np.ndarray, other: np.ndarray, margin: float) -> bool:
    """Whether the square around a box reaches into another box."""
    middle, half = (box[:2] + box[2:]) / 2, margin * (box[2:] - box[:2]).max() / 2
    return bool((other[2:] > middle - half).all() and (other[:2] < middle + half).all())


def share_within(box: np.ndarray, other: tuple[int, int, int, int]) -> float:
    both = np.clip(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0, None)
    return float(np.prod(both) / np.prod(box[2:] - box[:2]))


def iou(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    width, height = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    both = max(0, width) * max(0, height)
    return both / sum([(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)], -both)
