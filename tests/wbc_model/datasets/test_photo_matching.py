"""Copies of photographs are told apart by their pixels: drawn ones, and a sample of BCCD's."""

import csv
import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from wbc_model.datasets.photo_matching import PhotoMatcher
from wbc_model.synthetic.cells import draw_cell

CELLS = ("eosinophil", "lymphocyte", "monocyte", "neutrophil")
MIRROR = np.float32([[-1, 0, 319], [0, 1, 0], [0, 0, 1]])


def drawing(seed: int, *, height: int = 240, width: int = 320, fill: float = 0.6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return draw_cell(CELLS[seed % 4], rng, height=height, width=width, fill=fill).pixels


def copy(pixels: np.ndarray, *, angle: float = 0, scale: float = 1, shear: float = 0, mirrored: bool = False):
    """As BCCD's images were made of its photographs: shifted too, and black where the photograph ends."""
    affine = np.vstack([cv2.getRotationMatrix2D((160, 120), angle, scale), (0, 0, 1)])
    affine = affine @ np.float32([[1, shear, 12], [0, 1, -9], [0, 0, 1]]) @ (MIRROR if mirrored else np.eye(3))
    return cv2.warpAffine(pixels, affine[:2], (320, 240))


def dusty(pixels: np.ndarray) -> np.ndarray:
    """Seen by a camera with dust on it: specks of many shapes, at the same places in all photographs."""
    rng, pixels = np.random.default_rng(0), pixels.copy()
    for x, y, dx, dy in rng.integers((20, 20, -9, -9), (300, 220, 9, 9), (30, 4)).tolist():
        cv2.line(pixels, (x, y), (x + dx, y + dy), (60, 60, 60), 2)
    return pixels


@pytest.fixture(scope="module")
def photographs() -> PhotoMatcher:
    return PhotoMatcher({str(seed): dusty(drawing(seed)) for seed in range(8)})


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("angle", "scale", "shear"), [(0, 1, 0), (20, 1, 0.1), (-15, 0.9, 0), (178, 1.1, -0.1)])
def test_a_copy_of_a_photograph_is_known(
    photographs: PhotoMatcher, angle: float, scale: float, shear: float, *, mirrored: bool
):
    for seed in (0, 5):
        image = copy(dusty(drawing(seed)), angle=angle, scale=scale, shear=shear, mirrored=mirrored)
        match = photographs.match(image)
        assert match
        assert match.photograph == str(seed)
        assert match.inliers > match.runner_up


def test_a_photograph_is_known_at_any_size(photographs: PhotoMatcher):
    large = cv2.resize(dusty(drawing(3)), (640, 480))
    assert photographs.match(large).photograph == "3"


def test_another_picture_is_not_known_although_its_dust_is(photographs: PhotoMatcher):
    others = [dusty(drawing(seed)) for seed in range(20, 26)]
    assert [photographs.match(image) for image in others] == [None] * len(others)


def test_an_empty_picture_is_not_known(photographs: PhotoMatcher):
    assert photographs.match(np.zeros((240, 320, 3), np.uint8)) is None


def test_the_same_image_is_matched_alike(photographs: PhotoMatcher):
    image = copy(dusty(drawing(2)), angle=10)
    assert photographs.match(image) == photographs.match(image)


@pytest.fixture(scope="module")
def fields() -> dict[str, np.ndarray]:
    """Four photographs of two slides: of one cell, and of places that share red cells and no white one."""
    one, two = drawing(40, height=300, width=400, fill=0.5), drawing(46, width=800, fill=0.5)
    return {"left": one[:240, :320], "right": one[60:, 80:], "cell": two[:, 280:600], "elsewhere": two[:, 480:]}


def test_overlapping_photographs_show_one_cell_and_others_do_not(fields: dict[str, np.ndarray]):
    drawings = {str(seed): dusty(drawing(seed)) for seed in range(4)}
    assert PhotoMatcher({**drawings, **fields}).same_cell() == [("left", "right")]


def test_of_two_photographs_of_one_cell_the_copied_one_is_known(fields: dict[str, np.ndarray]):
    photographs = PhotoMatcher(fields)
    for name in ("left", "right"):
        assert photographs.match(copy(fields[name], angle=8)).photograph == name


@pytest.mark.slow
def test_a_sample_of_bccd(shared: Path):
    bccd, rows = shared / "data" / "bccd", shared / "paper" / "bccd_source_map_partial.csv"
    files = sorted((bccd / "dataset-master" / "dataset-master" / "JPEGImages").glob("*.jpg"))
    photographs = PhotoMatcher({file.stem.removeprefix("BloodImage_"): read(file) for file in files})
    images = bccd / "dataset2-master" / "dataset2-master" / "images"
    with rows.open() as stream:
        sample = random.Random(0).sample(list(csv.DictReader(stream)), 150)
    matches = [photographs.match(read(images / row["split"] / row["class"] / row["file"])) for row in sample]
    assert None not in matches
    alike = [match.photograph == row["source_BloodImage_id"] for match, row in zip(matches, sample, strict=True)]
    assert sum(alike) >= 147  # where they differ, the map took the camera's dust for a match
    assert {("00204", "00277"), ("00206", "00278"), ("00230", "00257")} <= set(photographs.same_cell())


def read(file: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
