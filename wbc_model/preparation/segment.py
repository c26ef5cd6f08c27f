"""Find white cells by the paper's steps: colour deconvolution, binarisation, markers, watershed. Needs no torch.

Every picture is first scaled so that its shorter side has `SIDE` pixels. Lengths are in radii of the red cells in the
picture, areas in their areas; a box is (left, top, right, bottom).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import reconstruction
from skimage.segmentation import watershed

from wbc_model.preparation.nuclei import above, cell_radius, threshold
from wbc_model.preparation.stains import Floats, Mask, absorbance, nuclear_stain, optical_density

Labels = NDArray[np.int32]
Box = tuple[int, int, int, int]

SIDE = 320
BLACK = 40
"""Of 255: a pixel whose brightest channel is darker is no part of the picture, as at the corners of a rotated one."""
FEW = 45
"""Pixels; with larger red cells the picture shows a few cells, and the light on them is even."""
BLUR, OPENING, DILATION = 0.12, 0.2, 0.45
"""Standard deviation of the blur before binarisation; radius below which a shape is too thin for a nucleus; distance
within which pieces are lobes of one nucleus."""
REACH, TAIL = 0.8, 0.4
"""Distance from the nucleus to which cytoplasm reaches; radius below which a shape is too thin for cytoplasm."""
LEAST = 0.35
"""Area; a smaller nucleus is a platelet, or of a cell that is mostly outside the picture."""
DEPTH = 0.6
"""Share of a nucleus's radius: only deeper notches divide it, so that the lobes of a nucleus stay one cell."""
CYTOPLASM = 0.35
"""Cytoplasm is stained more than this share of a nucleus's threshold."""
STAIN, CONTRAST = 0.12, 1.2
"""Where the threshold is lower, or separates nuclei less from the rest, there is no nucleus."""
CLOSE_UPS = (47.5, 40.0, 33.5, 28.0)
"""Pixels of the picture at half its size: radii of red cells that a picture of one white cell may have, the largest
first."""
FILLED, LARGE, SHARP = 0.1, 0.8, 0.75
"""Of a picture of one white cell: the share of it and the area that its nucleus has at least, and the least step at its
outline; uneven light gives less."""
EDGE = 0.15
"""Width of the ring, on each side of an outline, within which its step is measured."""
FRAGMENT = 0.15
"""Share of the largest nucleus in the picture; a smaller one is a piece of a cell."""
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
    """The results of the segmentation's steps, in order, each (H, W) as the scaled picture; Fig. 2 shows them."""

    pixels: NDArray[np.uint8]
    """The scaled picture (H, W, 3)."""
    stain: Floats
    """How much a nucleus's stain absorbs."""
    dark: Mask
    """1 where the stain is above the threshold."""
    nuclei: Mask
    """The same with its holes filled, thin parts removed by opening, and small objects dropped."""
    markers: Labels
    """One region per cell, numbered from 1, by dilation, distance transform and reconstruction."""
    cells: Labels
    """The watershed's result: the number of the cell that a pixel belongs to, or 0."""


def find_cells(rgb: NDArray[np.uint8]) -> list[BloodCell]:
    """White cells of an RGB picture (H, W, 3), the most conspicuous (by nucleus area times stain) first.

    Black areas, as at the corners of a rotated picture, are ignored.
    """
    if (found := segment(rgb)) is None:
        return []
    labels, nuclei = found.cells, found.cells * found.nuclei
    cells = [_measure(labels == i, nuclei == i, found.stain, rgb) for i in np.unique(nuclei[nuclei > 0])]
    largest = max(cell.nucleus for cell in cells)
    whole = (cell for cell in cells if cell.nucleus >= FRAGMENT * largest)
    return sorted(whole, key=lambda cell: -cell.nucleus * cell.stain)


def segment(rgb: NDArray[np.uint8]) -> SegmentationSteps | None:
    """The segmentation of an RGB picture (H, W, 3), step by step; None if no nucleus is found."""
    scale = SIDE / min(rgb.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    pixels = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=way), np.uint8)
    valid = np.asarray(cv2.erode((pixels.max(2) >= BLACK).astype(np.uint8), _disk(4)), np.uint8)
    if valid.mean() < 0.01 or np.ptp(pixels[valid > 0], axis=0).max() < 3:
        return None
    density = optical_density(pixels)
    even = nuclear_stain(absorbance(density, valid, order=0))
    radius = _close_up(even, valid) or cell_radius(absorbance(density, valid, order=2), valid)
    raw = nuclear_stain(absorbance(density, valid, order=4)) if radius < FEW else even
    stain, level, contrast = _thresholded(raw, valid, radius=radius)
    dark = above(level, stain, valid)
    nuclei = _nuclei(dark, radius=radius)
    if level < STAIN or contrast < CONTRAST or not nuclei.any():
        return None
    markers, cells = _cells(nuclei, above(CYTOPLASM * level, stain, valid), radius=radius)
    return SegmentationSteps(pixels, stain, dark, nuclei, markers, cells)


def _thresholded(raw: Floats, valid: Mask, *, radius: float) -> tuple[Floats, float, float]:
    """The stain (H, W), blurred, the threshold above which it is a nucleus's, and its contrast there."""
    stain = np.asarray(cv2.GaussianBlur(raw, (0, 0), BLUR * radius), np.float32)
    return stain, *threshold(stain[valid > 0], area=LEAST * np.pi * radius**2)


def _close_up(even: Floats, valid: Mask) -> float:
    """The radius of red cells if one nucleus, at least as large as they, fills much of the picture; else 0.

    There, red cells are few and cut off, and say less about the size of cells than the nucleus does. They
    are tried on the picture at half its size, which is faster.

    Args:
        even: nuclear stain (H, W) where the light is taken to be even.
        valid: 1 where a pixel belongs to the picture (H, W).
    """
    half = np.asarray(cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float32)
    inside = np.asarray(cv2.resize(valid, half.shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    for radius in CLOSE_UPS:
        stain, level, _ = _thresholded(half, inside, radius=radius)
        nuclei = _nuclei(above(level, stain, inside), radius=radius)
        labels, areas = _grouped(nuclei, radius=radius)
        if areas.max() < max(LARGE * np.pi * radius**2, FILLED * half.size):
            continue
        if _step(half, inside, nuclei * (labels == areas.argmax()), width=EDGE * radius) >= SHARP:
            return 2 * radius
    return 0.0


def _step(stain: Floats, valid: Mask, nucleus: Mask, *, width: float) -> float:
    """By how much the stain falls at a nucleus's outline, over the sum of its standard deviations on the two sides."""
    inside = stain[(nucleus > 0) & (cv2.erode(nucleus, _disk(width)) == 0)]
    outside = stain[(nucleus == 0) & (cv2.dilate(nucleus, _disk(width)) > 0) & (valid > 0)]
    if not (len(inside) and len(outside)):
        return 0.0
    return float((inside.mean() - outside.mean()) / (inside.std() + outside.std() + 1e-6))


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


def _nuclei(dark: Mask, *, radius: float) -> Mask:
    """The mask with its holes filled, thin parts removed by opening, and nuclei that are too small dropped."""
    outlines, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros(dark.shape, np.uint8), outlines, -1, 1, cv2.FILLED)
    opened = np.asarray(cv2.morphologyEx(filled, cv2.MORPH_OPEN, _disk(OPENING * radius)), np.uint8)
    labels, areas = _grouped(opened, radius=radius)
    return np.asarray(opened * (areas >= LEAST * np.pi * radius**2)[labels], np.uint8)


def _grouped(nuclei: Mask, *, radius: float) -> tuple[Labels, NDArray[np.int64]]:
    """The number of the nucleus whose lobes reach a pixel (H, W), or 0; and the area of each, by number."""
    _, labels = cv2.connectedComponents(cv2.dilate(nuclei, _disk(DILATION * radius)))
    return np.asarray(labels, np.int32), np.bincount(labels[nuclei > 0], minlength=labels.max() + 1)


def _cells(nuclei: Mask, cytoplasm: Mask, *, radius: float) -> tuple[Labels, Labels]:
    """Markers, one per nucleus, and the watershed from them over stained pixels near nuclei.

    Both are (H, W) and hold the number of a cell, or 0.
    """
    joined = cv2.dilate(nuclei, _disk(DILATION * radius))
    n, labels = cv2.connectedComponents(joined)
    depth = cv2.distanceTransform(joined, cv2.DIST_L2, 5)
    deepest = np.array([depth[labels == i].max() for i in range(n)])
    away = cv2.distanceTransform(1 - nuclei, cv2.DIST_L2, 5)
    closed = cv2.erode(joined, _disk(DILATION * radius))
    near = away < REACH * radius
    body = (cv2.morphologyEx(cytoplasm * near, cv2.MORPH_OPEN, _disk(TAIL * radius)) > 0) | (closed > 0)
    left, top, right, bottom = box_of(body | (joined > 0), pad=0)
    part = np.s_[top:bottom, left:right]  # the rest of the picture would only cost time
    lowered = reconstruction(np.clip(depth - DEPTH * deepest[labels], 0, None)[part], depth[part])
    markers, cells = np.zeros((2, *nuclei.shape), np.int32)
    _, markers[part] = cv2.connectedComponents((depth[part] > lowered).astype(np.uint8))
    cells[part] = watershed(away[part], markers[part], mask=body[part])
    return markers, cells


def _measure(cell: NDArray[np.bool_], nucleus: NDArray[np.bool_], stain: Floats, rgb: NDArray[np.uint8]) -> BloodCell:
    """A cell of a scaled picture, its box in pixels of the picture itself."""
    scale = np.tile(np.array(rgb.shape[1::-1]) / cell.shape[::-1], 2)
    left, top, right, bottom = (round(side) for side in scale * box_of(cell))
    return BloodCell((left, top, right, bottom), nucleus=float(nucleus.mean()), stain=float(stain[nucleus].mean()))


def _disk(radius: float) -> Mask:
    r = max(1, round(radius))
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1)), np.uint8)
