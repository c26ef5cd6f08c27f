"""Image files of every kind come out as the same RGB."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from wbc_model.datasets.dataset import DataError
from wbc_model.datasets.images import read_rgb, resized

COLOUR = (200, 30, 90)


def test_kinds_of_files_give_the_same_colour(tmp_path: Path):
    image = Image.new("RGB", (40, 30), COLOUR)
    clear = Image.new("RGBA", (40, 30), (*COLOUR, 255))
    for name, kind in {"a.png": image, "a.bmp": image, "a.tif": image, "rgba.png": clear}.items():
        kind.save(tmp_path / name)
        assert (read_rgb(tmp_path / name) == COLOUR).all(), name
    image.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=100)
    image.save(tmp_path / "wrong_name.png", format="JPEG", quality=100)
    for name in ("cmyk.jpg", "wrong_name.png"):
        assert np.abs(read_rgb(tmp_path / name).astype(int) - COLOUR).max() <= 4, name


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path):
    Image.fromarray(np.full((30, 40), 0x80FF, np.uint16)).save(tmp_path / "deep.png")
    assert (read_rgb(tmp_path / "deep.png") == 0x80).all()


def test_what_is_transparent_is_white(tmp_path: Path):
    Image.new("RGBA", (40, 30), (*COLOUR, 0)).save(tmp_path / "clear.png")
    assert (read_rgb(tmp_path / "clear.png") == 255).all()


def test_a_picture_is_turned_upright(tmp_path: Path):
    image = Image.new("RGB", (40, 30), COLOUR)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.save(tmp_path / "lying.jpg", exif=exif)
    assert read_rgb(tmp_path / "lying.jpg").shape == (40, 30, 3)


def test_opencv_reads_the_same_pixels(tmp_path: Path):
    """Check 11: red is first. As a PNG, so that two JPEG decoders cannot differ."""
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    assert (read_rgb(tmp_path / "noise.png") == cv2.imread(str(tmp_path / "noise.png"))[..., ::-1]).all()
    assert (read_rgb(tmp_path / "noise.png") == pixels).all()


def test_a_large_jpeg_is_decoded_no_larger_than_needed(tmp_path: Path):
    Image.new("RGB", (1280, 1280), COLOUR).save(tmp_path / "large.jpg")
    assert read_rgb(tmp_path / "large.jpg", at_least=224).shape == (320, 320, 3)
    assert resized(read_rgb(tmp_path / "large.jpg"), side=224).shape == (224, 224, 3)


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_a_damaged_file_is_named(content: bytes | None, tmp_path: Path):
    file = tmp_path / "bad.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:900] if content is None else content)
    with pytest.raises(DataError, match=f"{file}: cannot be decoded as an image"):
        read_rgb(file)
