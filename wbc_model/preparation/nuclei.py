"""Which pixels are nuclei, and how large cells are in a picture. Needs no torch."""

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from wbc_model.preparation.stains import Floats, Mask, nuclear_stain

RADII = 4 * 1.19 ** np.arange(14)
"""Of red cells, in pixels of a picture of half the size, that are tried."""
WIDTH = 1.3
"""Ratio of the radii of two openings between which red cells of a radius vanish."""
PALE = 0.6
"""Share of a red cell's area that its pale centre may have at most."""
NUCLEUS_SIZE = 0.7
"""Least radius of red cells over that of the largest nucleus."""
PEAK = 0.6
"""The radius of red cells is the least that removes as much area as this share of the most, and as its neighbour."""
GAP = 17
"""Pixels; pieces nearer than half of this are lobes of one nucleus, where the size of cells is not known yet."""
THRESHOLD = 0.5
"""A nucleus has more than this share of the stain of the darkest one."""


def cell_radius(absorbed: Floats, valid: Mask) -> float:
    """The usual radius of red cells, in pixels, or what it would be in a picture of little more than one white cell.

    By granulometry of what absorbs more than Otsu's threshold; but a nucleus is not much larger than a red cell.

    Args:
        absorbed: absorbance (H, W, 3), 0 for background.
        valid: 1 where a pixel belongs to the picture (H, W).
    """
    half = cv2.resize(absorbed.sum(axis=2), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(valid, half.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    cells = ((half > threshold_otsu(half[inside])) & inside).astype(np.uint8)
    _, gaps, stats, _ = cv2.connectedComponentsWithStats(1 - cells, connectivity=4)
    size = stats[:, cv2.CC_STAT_AREA].copy()
    size[0] = cells.size
    removed = np.array([_removed(cells | (size < PALE * np.pi * r**2)[gaps], r) for r in RADII])
    peaks = (removed >= np.append(removed[1:], 0)) & (removed >= PEAK * removed.max())
    red = 2 * RADII[peaks.argmax()]
    stain = np.asarray(cv2.GaussianBlur(nuclear_stain(absorbed), (0, 0), 3), np.float32)
    dark = above(float(THRESHOLD * np.quantile(stain[valid > 0], 0.998)), stain, valid)
    _, lobes = cv2.connectedComponents(cv2.dilate(dark, np.ones((GAP, GAP), np.uint8)))
    largest = np.bincount(lobes[dark > 0]).max(initial=0)
    return max(float(red), NUCLEUS_SIZE * float(np.sqrt(largest / np.pi)))


def _removed(cells: Mask, radius: float) -> float:
    """Area that an opening with a disc of somewhat more than a radius removes, and one with less does not."""
    pad = int(WIDTH * radius) + 1
    depth = np.asarray(cv2.distanceTransform(np.pad(cells, pad, mode="edge"), cv2.DIST_L2, 3), np.float32)
    inner = np.s_[pad:-pad, pad:-pad]
    less, more = (_opened(depth, radius * WIDTH**power)[inner].sum() for power in (-0.5, 0.5))
    return float(less) - float(more)


def _opened(depth: Floats, radius: float) -> NDArray[np.bool_]:
    """The opening, with a disc, of a mask whose distance transform is `depth`."""
    core = depth > radius
    if not core.any():
        return core
    return cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, 3) <= radius


def above(level: float, stain: Floats, valid: Mask) -> Mask:
    """1 where the stain (H, W) is above a level and the pixel belongs to the picture."""
    return ((stain > level) & (valid > 0)).astype(np.uint8)


def threshold(stain: Floats, *, area: float) -> tuple[float, float]:
    """The least stain of a nucleus, and the contrast that it gives.

    Args:
        stain: of the picture's pixels (n,).
        area: of the smallest nucleus, in pixels.

    Returns:
        The threshold, half-way to the stain that this many pixels exceed; and the difference of the means above and
        below it over the sum of their standard deviations.
    """
    top = np.quantile(stain, max(0.9, 1 - area / len(stain)))
    level = THRESHOLD * float(top)
    dark, rest = stain[stain > level], stain[stain <= level]
    if not (len(dark) and len(rest)):
        return level, 0.0
    return level, float((dark.mean() - rest.mean()) / (dark.std() + rest.std() + 1e-6))
