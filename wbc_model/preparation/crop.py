"""The part of a published picture that shows its white cell. LDWBC and Raabin are cells cropped already."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from wbc_model.choices import Dataset
from wbc_model.datasets.dataset import ImageFile
from wbc_model.datasets.images import read_rgb
from wbc_model.datasets.lisc import mask_of
from wbc_model.preparation.segment import Box, box_of, find_cells


class NoCell(ValueError):
    """A picture without a cell to crop; the message says why it is left out."""


def _by_mask(sample: ImageFile, rgb: NDArray[np.uint8]) -> Box:
    """LISC: what an expert painted. The masks lack a margin, the same on opposite sides."""
    path = mask_of(sample.path)
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


def _by_segmentation(sample: ImageFile, rgb: NDArray[np.uint8]) -> Box:  # noqa: ARG001 - one signature for both
    """BCCD: the most conspicuous cell that the paper's segmentation finds."""
    cells = find_cells(rgb)
    if not cells:
        raise NoCell("no white cell, or a small part of one")
    return cells[0].box


FINDERS: Mapping[Dataset, Callable[[ImageFile, NDArray[np.uint8]], Box]] = {
    Dataset.LISC: _by_mask,
    Dataset.BCCD: _by_segmentation,
}


def crop(sample: ImageFile, rgb: NDArray[np.uint8], *, dataset: Dataset) -> NDArray[np.uint8]:
    """The cell of a picture (H, W, 3), as nearly square as the picture's border allows; or the whole picture.

    Raises:
        NoCell: there is none to be seen.
    """
    if dataset not in FINDERS:
        return rgb
    left, top, right, bottom = square(FINDERS[dataset](sample, rgb), height=rgb.shape[0], width=rgb.shape[1])
    return rgb[top:bottom, left:right]


def square(box: Box, *, height: int, width: int) -> Box:
    """A box with its shorter side drawn out to the longer, shifted into the picture where it would leave it."""
    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    x, w = _stretch(left, right, side=side, limit=width)
    y, h = _stretch(top, bottom, side=side, limit=height)
    return x, y, x + w, y + h


def _stretch(low: int, high: int, *, side: int, limit: int) -> tuple[int, int]:
    """Start and length of an interval of `side` about the middle of [low, high), within [0, limit)."""
    length = min(side, limit)
    return min(max(0, (low + high - length) // 2), limit - length), length
