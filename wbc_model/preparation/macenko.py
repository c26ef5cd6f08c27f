"""Normalise the stains of a picture of a cell to a reference. Needs no torch.

Macenko et al., "A method for normalizing histology slides for quantitative analysis", ISBI 2009. The method was made
for tissue in haematoxylin and eosin. Blood smears are stained otherwise (Giemsa, Wright: azure dyes and eosin), with
colours that also lie near a plane of optical densities, between those of nuclei and of red cells. A colour off that
plane is lost: an eosinophil's granules become more like a neutrophil's. Without a red cell in the picture, another
colour, such as a lymphocyte's blue cytoplasm, takes its place. Three departures from the article:

- The light is estimated, per colour, because cameras and lamps differ more than its fixed white allows.
- The stain that lets more blue pass is the nuclear one. The article takes the one that absorbs more red, which in blood
  differs less.
- Black borders, as BCCD's rotated copies have, are no stain: they are left out of all estimates.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_model.preparation.image_set import ImageSet
from wbc_model.preparation.stains import STAINS, optical_density

REFERENCE = 0.90, 0.47
"""Concentrations of the nuclear stain and of red cells' to which each picture's 99th percentiles are scaled, in natural
absorbance: medians of 600 cropped training images of BCCD. The reference's colours are `STAINS`."""
LIGHT = 95
"""Percentile of a colour's brightness that is taken for the light without a cell."""
LEAST = 0.15 * np.log(10)
"""Length of a pixel's density from which on it counts as stained; the article's 0.15 in natural absorbance."""
TAIL = 1
"""Percent of the stained pixels beyond the angle of each stain, and with more of it than its highest concentration."""
BLACK, MARGIN = 1.5, 9
"""Density in all colours from which on a pixel is black, and the side in pixels of the square around it left out."""
LEAST_SHARE, LEAST_ANGLE = 0.01, 0.2
"""Share of stained pixels, and angle in radians between two stains, below which a picture is left as it is."""


def normalised(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (H, W, 3) with the reference's stains and light; unchanged where it shows hardly any stain, or one."""
    raw = optical_density(rgb).astype(np.float64)
    density = raw - np.percentile(raw, 100 - LIGHT, axis=(0, 1))
    black = cv2.dilate((density.min(axis=2) > BLACK).astype(np.uint8), np.ones((MARGIN, MARGIN), np.uint8))
    stained = (np.linalg.norm(density, axis=2) >= LEAST) & (black == 0)
    stains = _stains(density[stained]) if stained.mean() >= LEAST_SHARE else None
    if stains is None:
        return rgb
    amounts = density @ np.linalg.pinv(stains)
    amounts *= REFERENCE / np.percentile(amounts[stained], 100 - TAIL, axis=0)
    return (256 * np.exp(-amounts @ STAINS) - 1).round().clip(0, 255).astype(np.uint8)


def all_normalised(images: ImageSet) -> ImageSet:
    """A set of images with the reference's stains."""
    return replace(images, pixels=np.stack([normalised(rgb) for rgb in images.pixels]))


def _stains(density: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Unit vectors (2, 3) of the nuclear and the other stain of some pixels (n, 3); None where they are as good as one.

    They are the robust extremes of the angles in the plane of the two largest singular values.
    """
    plane = np.linalg.eigh(density.T @ density)[1][:, :0:-1]
    plane = plane * np.where(plane.sum(axis=0) < 0, -1, 1)  # an eigenvector's sign is arbitrary
    x, y = (density @ plane).T
    angles = np.percentile(np.arctan2(y, x), (TAIL, 100 - TAIL))
    if angles[1] - angles[0] < LEAST_ANGLE:
        return None
    stains = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ plane.T
    return stains[np.argsort(stains[:, 2])]
