"""Find white cells by the paper's steps: nuclear stain, thresholds, markers, watershed. Needs no torch.

The paper separates the stain by colour deconvolution; here it is a difference of two absorbances, that of red less half
of that of blue.
Lengths are in pixels of a picture 480 high, and are scaled to the picture at hand; a box is (left, top, right, bottom).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_multiotsu
from skimage.morphology import reconstruction
from skimage.segmentation import watershed

Mask = NDArray[np.uint8]
Box = tuple[int, int, int, int]

BLACK = 40
"""Of 255: a pixel whose brightest channel is darker is no part of the picture, as at the corners of a rotated one."""
BLUR, OPENING, DILATION = 1.5, 5, 12
"""Standard deviation of the blur before binarisation; radius below which a shape is too thin for a nucleus; distance
within which pieces are lobes of one nucleus."""
LEAST = 0.01
"""Share of the picture's area; a smaller nucleus is a platelet, or of a cell that is mostly outside the picture."""
DEPTH = 0.8
"""Share of a nucleus's radius: only deeper notches divide it, so that the lobes of a nucleus stay one cell."""
CYTOPLASM = 0.3
"""Cytoplasm is stained more than this share of the way from background (0) to nucleus (1)."""
PAD = 0.12
"""Margin on each side of a box, as a share of the length of that side."""


@dataclass(frozen=True)
class BloodCell:
    """A white cell in a picture."""

    box: Box
    """Padded, within the picture."""
    nucleus: float
    """Area of its nucleus over that of the picture."""
    stain: float
    """Mean stain of its nucleus."""


@dataclass(frozen=True)
class SegmentationSteps:
    """The results of the segmentation's steps on a picture, in order, each (H, W); Fig. 2 shows them."""

    stain: NDArray[np.float32]
    """How much a nucleus's stain absorbs: the absorbance of red light less half of that of blue."""
    dark: Mask
    """1 where the stain is above the higher of two Otsu thresholds."""
    nuclei: Mask
    """The same with its holes filled and thin parts removed by opening."""
    markers: NDArray[np.int32]
    """One region per cell, numbered from 1, by dilation, distance transform and reconstruction."""
    cells: NDArray[np.int32]
    """The watershed's result: the number of the cell that a pixel belongs to, or 0."""


def find_cells(rgb: NDArray[np.uint8]) -> list[BloodCell]:
    """White cells of an RGB picture (H, W, 3), the most conspicuous (by nucleus area times stain) first.

    Black areas, as at the corners of a rotated picture, are ignored.
    """
    if (found := segment(rgb)) is None:
        return []
    labels, stain = found.cells, found.stain
    inner = labels * found.nuclei
    cells = [_measure(labels == i, inner == i, stain) for i in range(1, labels.max() + 1) if (inner == i).any()]
    return sorted((cell for cell in cells if cell.nucleus >= LEAST), key=lambda cell: -cell.nucleus * cell.stain)


def segment(rgb: NDArray[np.uint8]) -> SegmentationSteps | None:
    """The segmentation of an RGB picture (H, W, 3), step by step; None if no nucleus is found."""
    scale = min(rgb.shape[:2]) / 480
    valid = cv2.erode((rgb.max(2) >= BLACK).astype(np.uint8), _disk(6 * scale))
    stain = _nuclear_stain(rgb, blur=BLUR * scale)
    values = stain[valid > 0][::4]
    if len(np.unique(values)) < 3:
        return None
    # Otherwise a few specks, darker than any nucleus, would be a class of their own.
    faint, strong = threshold_multiotsu(np.minimum(values, np.quantile(values, 0.995)), classes=3)
    dark = (stain > strong) & (valid > 0)
    nuclei = _nuclei(dark, scale=scale)
    if not nuclei.any():
        return None
    cytoplasm = (stain > faint + CYTOPLASM * (strong - faint)) & (valid > 0)
    markers, cells = _cells(nuclei, cytoplasm.astype(np.uint8), scale=scale)
    return SegmentationSteps(stain, dark.astype(np.uint8), nuclei, markers, cells)


def box_of(mask: NDArray[np.bool_], *, pad: float = PAD) -> Box:
    """Bounding box of a non-empty mask (H, W), padded by a share of its sides and clipped to the picture."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    high, wide = round(pad * (bottom - top)), round(pad * (right - left))
    height, width = mask.shape
    return (
        int(max(0, left - wide)),
        int(max(0, top - high)),
        int(min(width, right + wide)),
        int(min(height, bottom + high)),
    )


def _nuclear_stain(rgb: NDArray[np.uint8], *, blur: float) -> NDArray[np.float32]:
    """How much each pixel (H, W) is stained as nuclei are, which absorb red light; eosin in red cells absorbs blue."""
    absorbance = -np.log((rgb.astype(np.float32) + 1) / 256)
    difference = absorbance[..., 0] - 0.5 * absorbance[..., 2]
    return np.asarray(cv2.GaussianBlur(difference, (0, 0), max(blur, 0.3)), np.float32)


def _nuclei(dark: NDArray[np.bool_], *, scale: float) -> Mask:
    """The mask with its holes filled, thin parts removed by opening, and small objects dropped."""
    outlines, _ = cv2.findContours(dark.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros(dark.shape, np.uint8), outlines, -1, 1, cv2.FILLED)
    opened = cv2.morphologyEx(filled, cv2.MORPH_OPEN, _disk(OPENING * scale))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    large = stats[:, cv2.CC_STAT_AREA] >= LEAST / 4 * dark.size
    large[0] = False
    return large[labels].astype(np.uint8)


def _cells(nuclei: Mask, cytoplasm: Mask, *, scale: float) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Markers, one per nucleus, and the watershed from them over stained pixels near nuclei.

    Both are (H, W) and hold the number of a cell, or 0.
    """
    joined = cv2.dilate(nuclei, _disk(DILATION * scale))
    n, labels = cv2.connectedComponents(joined)
    depth = cv2.distanceTransform(joined, cv2.DIST_L2, 5)
    deepest = np.array([depth[labels == i].max() for i in range(n)])
    away = cv2.distanceTransform(1 - nuclei, cv2.DIST_L2, 5)
    reach = np.sqrt(nuclei.sum() / (n - 1) / np.pi)
    body = (cv2.morphologyEx(cytoplasm, cv2.MORPH_OPEN, _disk(OPENING * scale)) > 0) & (away < reach) | (joined > 0)
    left, top, right, bottom = box_of(body, pad=0)
    part = slice(top, bottom), slice(left, right)  # the rest of the picture would only cost time
    lowered = reconstruction(np.clip(depth - DEPTH * deepest[labels], 0, None)[part], depth[part])
    markers, cells = np.zeros((2, *nuclei.shape), np.int32)
    _, markers[part] = cv2.connectedComponents((depth[part] > lowered).astype(np.uint8))
    cells[part] = watershed(away[part], markers[part], mask=body[part])
    return markers, cells


def _measure(cell: NDArray[np.bool_], nucleus: NDArray[np.bool_], stain: NDArray[np.float32]) -> BloodCell:
    return BloodCell(box_of(cell), nucleus=float(nucleus.mean()), stain=float(stain[nucleus].mean()))


def _disk(radius: float) -> Mask:
    r = max(1, round(radius))
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1)), np.uint8)
