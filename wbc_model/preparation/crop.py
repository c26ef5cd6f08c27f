"""The part of a published picture that shows its white cell."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.find import ImageFile
from wbc_model.datasets.images import read_rgb, resized
from wbc_model.datasets.spec import DataSpec
from wbc_model.preparation.macenko import normalised
from wbc_model.preparation.segment import Box, box_of, find_cells


class NoCell(ValueError):
    """A picture without a cell to crop; the message says why it is left out."""


def _by_mask(dataset: Dataset, picture: Path, rgb: NDArray[np.uint8]) -> Box:
    """The bounding box of all that is not black in the image's mask.

    A mask may be smaller than its picture, as LISC's are, if it lacks the same margin on opposite sides.
    """
    path = dataset.mask_of(picture)
    if not path.exists():
        raise NoCell(f"its mask is missing: wanted {path}")
    mask = read_rgb(path).max(2) > 0
    if not mask.any():
        raise NoCell("its mask is empty")
    high, wide = (rgb.shape[0] - mask.shape[0]) // 2, (rgb.shape[1] - mask.shape[1]) // 2
    if min(high, wide) < 0:
        raise NoCell(f"its mask of {mask.shape[1]} x {mask.shape[0]} is larger than the picture")
    whole = np.zeros(rgb.shape[:2], bool)
    whole[high : high + mask.shape[0], wide : wide + mask.shape[1]] = mask
    return box_of(whole)


def _by_segmentation(dataset: Dataset, picture: Path, rgb: NDArray[np.uint8]) -> Box:  # noqa: ARG001 - as above
    """The most conspicuous cell that the paper's segmentation finds."""
    cells = find_cells(rgb)
    if not cells:
        raise NoCell("no white cell, or a small part of one")
    return cells[0].box


FINDERS: Mapping[str, Callable[[Dataset, Path, NDArray[np.uint8]], Box]] = {
    "mask": _by_mask,
    "segment": _by_segmentation,
}
"""How a dataset's cells are found, by its `crop`."""


def crop(sample: ImageFile, rgb: NDArray[np.uint8], *, dataset: Dataset) -> NDArray[np.uint8]:
    """The cell cut out of a picture (H, W, 3), square where the picture is large enough; or the whole picture.

    Raises:
        NoCell: no cell is found, or its mask is missing or unfit.
    """
    if dataset.crop == "none":
        return rgb
    left, top, right, bottom = cell_box(sample.path, rgb, dataset=dataset)
    return rgb[top:bottom, left:right]


def as_input(rgb: NDArray[np.uint8], spec: DataSpec) -> NDArray[np.uint8]:
    """A cell that was cut out (H, W, 3), as networks take it (S, S, 3): scaled and, if the spec says so, normalised."""
    square = resized(rgb, side=spec.image_size)
    return normalised(square) if spec.macenko else square


def cell_box(path: Path, rgb: NDArray[np.uint8], *, dataset: Dataset) -> Box:
    """Where `crop` cuts a picture (H, W, 3) of a dataset that is cropped; raises as it does.

    Args:
        path: the picture's file, beside which its mask lies.
    """
    box = FINDERS[dataset.crop](dataset, path, rgb)
    return square(box, height=rgb.shape[0], width=rgb.shape[1])


def square(box: Box, *, height: int, width: int) -> Box:
    """A box whose shorter side is extended to the longer, shifted where needed to stay within the picture.

    A side longer than the picture is cut to the picture, and the box is then no square.
    """
    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    x, w = _stretch(left, right, side=side, limit=width)
    y, h = _stretch(top, bottom, side=side, limit=height)
    return x, y, x + w, y + h


def _stretch(low: int, high: int, *, side: int, limit: int) -> tuple[int, int]:
    """Start and length of an interval of length `side`, centred on [low, high) as far as [0, limit) allows."""
    length = min(side, limit)
    return min(max(0, (low + high - length) // 2), limit - length), length
