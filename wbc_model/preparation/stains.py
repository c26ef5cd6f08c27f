"""How much nuclear stain lies on each pixel of a micrograph, whatever its light and white balance. Needs no torch.

Absorbance is the negative logarithm of the share of light that passes (Beer-Lambert law), so that illumination is a
sum and stains add up. The illumination is a polynomial of the position for each colour, fitted on a coarse grid.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

Floats = NDArray[np.float32]
Mask = NDArray[np.uint8]

NUCLEUS, RED_CELL = (0.57, 0.79, 0.15), (0.40, 0.72, 0.57)
"""Absorbances of red, green and blue light by a nucleus and by a red cell, up to a factor."""
_BOTH = np.array([NUCLEUS, RED_CELL], np.float32)
STAINS: Floats = _BOTH / np.linalg.norm(_BOTH, axis=1, keepdims=True)
"""The same as unit vectors (2, 3)."""
GRID = 5
"""Pixels for each point of the grid."""
LAG = 2
"""Points of the grid between two whose difference is taken."""
RIDGE = 1e-3
"""Penalty on squared coefficients, per point of the grid, which keeps the polynomial flat where there is no
background."""


def optical_density(rgb: NDArray[np.uint8]) -> Floats:
    """Natural absorbance (H, W, 3) of a picture's pixels, with that of the illumination; 0 is white."""
    return -np.log((rgb.astype(np.float32) + 1) / 256)


def absorbance(density: Floats, valid: Mask, *, order: int) -> Floats:
    """Natural absorbance (H, W, 3) of what lies on the slide; 0 is background.

    Args:
        density: optical density of a picture (H, W, 3).
        valid: 1 where a pixel belongs to the picture (H, W).
        order: of the polynomial that the illumination follows; 0 if it is even.
    """
    height, width = valid.shape
    size = max(1, width // GRID), max(1, height // GRID)
    coarse = np.asarray(cv2.resize(density, size, interpolation=cv2.INTER_AREA), np.float32)
    inside = cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.99
    if not inside.any():
        return np.zeros_like(density)
    light = _slope(coarse, inside) if order else np.zeros_like(coarse)
    light += _background(coarse - light, inside, order=order)
    return density - np.asarray(cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def nuclear_stain(absorbed: Floats) -> Floats:
    """The amount of nuclear stain (H, W) in absorbances (H, W, 3), by colour deconvolution into two stains.

    Least squares for each pixel: Ruifrok and Johnston, "Quantification of histochemical staining by color
    deconvolution", 2001.
    """
    return absorbed @ np.linalg.pinv(STAINS.T)[0]


def _slope(coarse: Floats, inside: NDArray[np.bool_]) -> Floats:
    """The quadratic surface without a constant (h, w, 3) that most differences between near points follow.

    Edges of cells are outliers among the differences: they are weighted down (Cauchy's weights).
    """
    terms = _powers(*inside.shape, order=2)[..., 1:]
    pairs = [(np.s_[LAG:], np.s_[:-LAG]), (np.s_[:, LAG:], np.s_[:, :-LAG])]
    both = [inside[a] & inside[b] for a, b in pairs]
    x = np.concatenate([(terms[a] - terms[b])[ok] for (a, b), ok in zip(pairs, both, strict=True)])
    y = np.concatenate([(coarse[a] - coarse[b])[ok] for (a, b), ok in zip(pairs, both, strict=True)])
    weights, fit = np.ones(len(x)), np.zeros((terms.shape[-1], 3))
    for _ in range(8 if len(x) else 0):
        fit = _least_squares(x, y, weights)
        error = np.abs(y - x @ fit).sum(axis=1)
        weights = 1 / (1 + (error / (0.5 * np.median(error) + 1e-4)) ** 2)
    return (terms @ fit).astype(np.float32)


def _background(coarse: Floats, inside: NDArray[np.bool_], *, order: int) -> Floats:
    """The surface (h, w, 3) of an order through the background, which absorbs less than Otsu's threshold."""
    terms = _powers(*inside.shape, order=order)
    surface = np.zeros_like(coarse)
    for _ in range(4):
        density = (coarse - surface).sum(axis=2)
        low = inside & (density <= threshold_otsu(density[inside]))
        surface = (terms @ _least_squares(terms[low], coarse[low], np.ones(low.sum()))).astype(np.float32)
    return surface


def _least_squares(x: NDArray[np.floating], y: NDArray[np.floating], weights: NDArray[np.floating]) -> NDArray:
    """Coefficients (k, 3) for terms (n, k), values (n, 3) and weights (n,), by the normal equations."""
    weighted = (x * weights[:, None]).T
    return np.linalg.solve(weighted @ x + RIDGE * weights.sum() * np.eye(x.shape[1]), weighted @ y)


def _powers(height: int, width: int, *, order: int) -> NDArray[np.float64]:
    """(height, width, k): products of powers of x and y, from -1 to 1, up to an order; the first is 1."""
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    return np.stack([x**i * y**j for i in range(order + 1) for j in range(order + 1 - i)], axis=-1)
