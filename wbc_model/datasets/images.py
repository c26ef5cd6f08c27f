"""Read an image file as it comes: any kind that Pillow knows, as RGB, or an error that names it. Needs no torch."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from wbc_model.datasets.dataset import DataError


def read_rgb(path: Path, *, at_least: int | None = None) -> NDArray[np.uint8]:
    """Pixels (H, W, 3), upright as EXIF says; 16-bit grey is scaled to 8, transparency lies on white.

    Args:
        at_least: a side in pixels; a JPEG larger than that may be decoded at a reduced size, which is much faster.

    Raises:
        DataError: a file that is empty, truncated or no image, by its path.
    """
    try:
        with Image.open(path) as image:
            if at_least is not None:
                image.draft("RGB", (at_least, at_least))
            return np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be decoded as an image ({error})") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, which `convert` would clip
        return Image.fromarray((np.asarray(image).clip(0, 65535) // 256).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def resized(rgb: NDArray[np.uint8], *, side: int) -> NDArray[np.uint8]:
    """Stretched to a square (side, side, 3), bilinear over all that a pixel covers."""
    return np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BILINEAR))
