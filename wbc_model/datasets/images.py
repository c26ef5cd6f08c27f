"""Read an image file as it comes: any kind that Pillow knows, as RGB, or an error that names it. Needs no torch."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from wbc_model.datasets.dataset import DataError

FLIPS = Image.Transpose
TURNS = {2: FLIPS.FLIP_LEFT_RIGHT, 3: FLIPS.ROTATE_180, 4: FLIPS.FLIP_TOP_BOTTOM, 5: FLIPS.TRANSPOSE,
         6: FLIPS.ROTATE_270, 7: FLIPS.TRANSVERSE, 8: FLIPS.ROTATE_90}  # fmt: skip
"""What makes a picture upright, by EXIF's orientation."""
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262
"""Tags of a TIFF file: the bits of a grey value; 0 where the lowest of these is white."""


def read_rgb(path: Path, *, at_least: int | None = None) -> NDArray[np.uint8]:
    """Pixels (H, W, 3), upright as EXIF says; deep grey is scaled to 8 bits, transparency lies on white.

    Of several pictures in a file, such as the frames of an animation, the first.

    Args:
        at_least: a side in pixels; a JPEG larger than that may be decoded at a reduced size, which is much faster.

    Raises:
        DataError: a file that is empty, truncated, no image, or of pixels whose range is unknown, by its path.
    """
    try:
        with Image.open(path) as image:
            deep = any(";16" in str(tile[3]) for tile in image.tile)
            if at_least is not None:
                image.draft("RGB", (at_least, at_least))
            rgb = np.asarray(_to_rgb(_upright(image)))
            if deep and rgb.max() < 16:
                raise ValueError("its brightest pixel is below a 16th of what 16 bits hold: scale it to 8 bits")
            return rgb
    except Exception as error:  # Pillow raises what its parsing stumbles upon: struct.error, KeyError, ...
        raise DataError(f"{path}: cannot be decoded as an image ({error or type(error).__name__})") from error


def pixels_of(path: Path) -> str:
    """Width and height as the head of a file that `read_rgb` reads says: `720x576`."""
    with Image.open(path) as image:
        return f"{image.width}x{image.height}"


def _upright(image: Image.Image) -> Image.Image:
    """Turned as EXIF says. `ImageOps.exif_transpose` also rewrites the EXIF block, and fails where it is damaged."""
    method = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    tags = getattr(image, "tag_v2", {})
    if image.mode == "F" or (image.mode == "I" and tags):
        raise ValueError("its signed, 32-bit or floating-point pixels have no known range: convert it to 8 bits")
    if image.mode.startswith("I"):  # which `convert` would clip
        bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
        grey = (np.asarray(image) >> (bits - 8)).astype(np.uint8)
        return Image.fromarray(255 - grey if tags.get(PHOTOMETRIC) == 0 else grey).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def resized(rgb: NDArray[np.uint8], *, side: int) -> NDArray[np.uint8]:
    """Stretched to a square (side, side, 3), bilinear over all that a pixel covers."""
    return np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BILINEAR))
