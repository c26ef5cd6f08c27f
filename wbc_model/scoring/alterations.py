"""Test images as a worse microscope, camera, file or stain would show them, at three strengths. Needs no torch.

Hendrycks & Dietterich 2019 (arXiv:1903.12261) measure robustness so for photographs; these are what changes between
laboratories.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_model.preparation.image_set import ImageSet

Pixels = NDArray[np.uint8]
"""An RGB image (H, W, 3)."""

BLUR = 1.0, 2.0, 4.0
"""Standard deviation in pixels of an image 224 pixels wide."""
NOISE = 8.0, 16.0, 32.0
"""Standard deviation of 255, independent for each pixel and colour."""
QUALITY = 50, 20, 10
"""Of JPEG."""
DARKEST = 0.8, 0.6, 0.4
"""Light at the darkest edge, as a share of that at the brightest, opposite to it."""
STAIN = 0.15, 0.3, 0.6
"""Most by which the absorbance of red, green or blue grows or falls, as a share of it."""
STRENGTHS = range(3)


def _blur(rgb: Pixels, strength: int, _: np.random.Generator) -> Pixels:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), BLUR[strength] * rgb.shape[1] / 224), np.uint8)


def _noise(rgb: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    return _bytes(rgb + NOISE[strength] * rng.standard_normal(rgb.shape))


def _jpeg(rgb: Pixels, strength: int, _: np.random.Generator) -> Pixels:
    content = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY[strength]])[1]
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR_RGB), np.uint8)


def _light(rgb: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """A gradient of the light in a random direction."""
    y, x = (np.linspace(-1, 1, n) for n in rgb.shape[:2])
    angle = 2 * np.pi * rng.random()
    slope = np.cos(angle) * x + np.sin(angle) * y[:, None]
    share = (slope / np.abs(slope).max() + 1) / 2
    return _bytes(rgb * (1 - (1 - DARKEST[strength]) * share)[..., None])


def _stain(rgb: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Each colour's absorbance times a factor of its own; white stays white (Beer-Lambert law)."""
    factor = 1 + STAIN[strength] * rng.uniform(-1, 1, 3)
    return _bytes(255 * (rgb / 255.0) ** factor)


def _bytes(pixels: NDArray[np.floating]) -> Pixels:
    return pixels.round().clip(0, 255).astype(np.uint8)


ALTERATIONS: Mapping[str, Callable[[Pixels, int, np.random.Generator], Pixels]] = {
    "blur": _blur,
    "noise": _noise,
    "JPEG": _jpeg,
    "light": _light,
    "stain": _stain,
}
"""By name, the change of an image, given one of `STRENGTHS` and the image's random numbers."""


def altered(images: ImageSet, name: str, strength: int, *, seed: int) -> ImageSet:
    """Every image altered; what is random depends on the seed and on the image's id alone, and grows with the strength.

    Args:
        name: of one of `ALTERATIONS`.
        strength: 0, 1 or 2.
    """
    change = ALTERATIONS[name]
    ids = [zlib.crc32(each.encode()) for each in images.ids]
    found = [
        change(np.asarray(rgb), strength, np.random.default_rng((seed, key)))
        for rgb, key in zip(images.pixels, ids, strict=True)
    ]
    return replace(images, pixels=np.array(found, np.uint8).reshape(images.pixels.shape))
