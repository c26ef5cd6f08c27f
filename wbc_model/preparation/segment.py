"""Find white cells and crop them, as the paper does: colour deconvolution, markers, watershed. Needs no torch.

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
"""Of 255, in the brightest channel: what is darker lies outside the picture, as at the corners of a turned one."""
BLUR, OPENING, DILATION = 1.5, 5, 12
"""Before binarisation; what is thinner is no nucleus; what is closer is one nucleus."""
LEAST = 0.01
"""Of the picture: a smaller nucleus is a platelet, or a cell of which too little is in the picture."""
DEPTH = 0.8
"""Of a nucleus's radius: less deep notches do not divide it, so that its lobes stay one cell."""
CYTOPLASM = 0.3
"""Where between background and nucleus the stain of cytoplasm begins."""
PAD = 0.12
"""Of a box's sides, added on each side."""


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
    """What the segmentation makes of a picture (H, W), in order: what Fig. 2 shows."""

    stain: NDArray[np.float32]
    """Colour deconvolution: how much a nucleus's stain absorbs."""
    dark: Mask
    """Binarised."""
    nuclei: Mask
    """Holes filled, opened."""
    markers: NDArray[np.int32]
    """One a cell: dilation, distance transform, reconstruction."""
    cells: NDArray[np.int32]
    """Of the watershed: 0, or which cell a pixel belongs to."""


def find_cells(rgb: NDArray[np.uint8]) -> list[BloodCell]:
    """White cells of a picture (H, W, 3), RGB, the most conspicuous first. Black, as at a turned picture's corners, is
    no part of it."""
    if (found := segment(rgb)) is None:
        return []
    labels, stain = found.cells, found.stain
    inner = labels * found.nuclei
    cells = [_measure(labels == i, inner == i, stain) for i in range(1, labels.max() + 1) if (inner == i).any()]
    return sorted((cell for cell in cells if cell.nucleus >= LEAST), key=lambda cell: -cell.nucleus * cell.stain)


def segment(rgb: NDArray[np.uint8]) -> SegmentationSteps | None:
    """The segmentation of a picture (H, W, 3), RGB, step by step; None where it shows no nucleus."""
    scale = min(rgb.shape[:2]) / 480
    valid = cv2.erode((rgb.max(2) >= BLACK).astype(np.uint8), _disk(6 * scale))
    stain = _nuclear_stain(rgb, blur=BLUR * scale)
    values = stain[valid > 0][::4]
    if len(np.unique(values)) < 3:
        return None
    # A few specks, darker than any nucleus, would else be a class of their own.
    faint, strong = threshold_multiotsu(np.minimum(values, np.quantile(values, 0.995)), classes=3)
    dark = (stain > strong) & (valid > 0)
    nuclei = _nuclei(dark, scale=scale)
    if not nuclei.any():
        return None
    cytoplasm = (stain > faint + CYTOPLASM * (strong - faint)) & (valid > 0)
    markers, cells = _cells(nuclei, cytoplasm.astype(np.uint8), scale=scale)
    return SegmentationSteps(stain, dark.astype(np.uint8), nuclei, markers, cells)


def box_of(mask: NDArray[np.bool_], *, pad: float = PAD) -> Box:
    """Bounding box of a mask that is not empty, padded, within the picture."""
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
    """(H, W): the blue stain of nuclei absorbs red light, the eosin of red cells blue light."""
    absorbance = -np.log((rgb.astype(np.float32) + 1) / 256)
    difference = absorbance[..., 0] - 0.5 * absorbance[..., 2]
    return np.asarray(cv2.GaussianBlur(difference, (0, 0), max(blur, 0.3)), np.float32)


def _nuclei(dark: NDArray[np.bool_], *, scale: float) -> Mask:
    """Holes filled, thin parts opened away, small objects dropped."""
    outlines, _ = cv2.findContours(dark.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros(dark.shape, np.uint8), outlines, -1, 1, cv2.FILLED)
    opened = cv2.morphologyEx(filled, cv2.MORPH_OPEN, _disk(OPENING * scale))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    large = stats[:, cv2.CC_STAT_AREA] >= LEAST / 4 * dark.size
    large[0] = False
    return large[labels].astype(np.uint8)


def _cells(nuclei: Mask, cytoplasm: Mask, *, scale: float) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """One marker a nucleus, then a watershed over stain near nuclei: both (H, W), 0 or which cell it is."""
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
