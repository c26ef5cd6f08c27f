"""Image files of every kind come out as the same RGB."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

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


def tiff(pixels: bytes, *, bits: int, photometric: int) -> bytes:
    """A grey TIFF file of 4 x 2 pixels."""
    tags = [(256, 4), (257, 2), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, 2),
            (279, len(pixels))]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + struct.pack("<H", len(tags)) + entries + b"\0" * 4


DEEP = {
    "12 bits": (tiff(b"\xff\xf8\x0f" * 4, bits=12, photometric=1), (0xFF, 0x80)),
    "16 bits": (tiff(b"\x00\xff\x00\x80" * 4, bits=16, photometric=1), (0xFF, 0x80)),
    "16 bits, 0 is white": (tiff(b"\x00\xff\x00\x80" * 4, bits=16, photometric=0), (0x00, 0x7F)),
    "a 12-bit PGM": (b"P5\n4 2\n4095\n" + b"\x0f\xff\x08\x08" * 4, (0xFF, 0x80)),
}


@pytest.mark.parametrize("kind", DEEP)
def test_grey_of_more_than_eight_bits_keeps_its_brightness(kind: str, tmp_path: Path):
    content, (first, second) = DEEP[kind]
    (tmp_path / "deep").write_bytes(content)
    assert read_rgb(tmp_path / "deep")[0, :2].tolist() == [[first] * 3, [second] * 3]


UNKNOWN = {
    "floating-point": np.full((30, 40), 0.5, np.float32),
    "32-bit": np.full((30, 40), 200, np.int32),
    "12 bits in 16": np.full((30, 40), 3000, np.uint16),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_pixels_of_unknown_range_are_refused_not_black(kind: str, tmp_path: Path):
    Image.fromarray(UNKNOWN[kind]).save(tmp_path / "deep.tif")
    with pytest.raises(DataError, match=r"deep.tif: cannot be decoded as an image \(.*to 8 bits"):
        read_rgb(tmp_path / "deep.tif")


def test_twelve_bits_in_the_sixteen_of_a_colour_png_are_refused(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((30, 40, 3), 3000, np.uint16))
    with pytest.raises(DataError, match="scale it to 8 bits"):
        read_rgb(tmp_path / "deep.png")
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((30, 40, 3), 0x80FF, np.uint16))
    assert (read_rgb(tmp_path / "deep.png") == 0x80).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_every_mode_is_read_as_its_colours(mode: str, tmp_path: Path):
    """White and black, which every mode has; saved as it can be."""
    half = Image.new("RGB", (40, 30), "white")
    half.paste("black", (0, 0, 20, 30))
    suffix = "tif" if mode in ("CMYK", "YCbCr", "LAB") else "png"
    half.convert(mode).save(tmp_path / f"a.{suffix}")
    found = read_rgb(tmp_path / f"a.{suffix}").astype(int)
    assert np.abs(found[:, 2:18]).max() <= 2, mode
    assert np.abs(found[:, 22:38] - 255).max() <= 2, mode


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_of_an_animation_the_first_frame_is_read(suffix: str, tmp_path: Path):
    first, second = (Image.new("RGB", (40, 30), colour) for colour in ("white", "black"))
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=[second])
    assert read_rgb(tmp_path / f"a.{suffix}").min() >= 250


def test_what_is_transparent_is_white(tmp_path: Path):
    Image.new("RGBA", (40, 30), (*COLOUR, 0)).save(tmp_path / "clear.png")
    assert (read_rgb(tmp_path / "clear.png") == 255).all()


def test_a_picture_is_turned_upright(tmp_path: Path):
    image = Image.new("RGB", (40, 30), COLOUR)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.save(tmp_path / "lying.jpg", exif=exif)
    assert read_rgb(tmp_path / "lying.jpg").shape == (40, 30, 3)


def exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """A JPEG of 64 x 32 whose EXIF block has these entries: tag, type, count and 4 bytes of value or offset."""
    Image.new("RGB", (64, 32), COLOUR).save(file := io.BytesIO(), "JPEG")
    ifd = b"".join(struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0") for tag, kind, count, value in entries)
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + ifd + b"\0" * 4
    return file.getvalue()[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + file.getvalue()[2:]


TURNED = (0x0112, 3, 1, b"\6\0")
DAMAGED = {
    "width as text": ((0x0100, 2, 4, b"abc\0"), TURNED),
    "a resolution beyond the end": (TURNED, (0x011A, 5, 1, b"\xff\xff\xff\x7f")),
    "signed resolution": (TURNED, (0x011A, 10, 1, b"\x08\0\0\0")),
    "a count of bytes as text": (TURNED, (0x0117, 2, 4, b"abc\0")),
    "a pointer as text": (TURNED, (0x8769, 2, 4, b"abc\0")),
}


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize("how", DAMAGED)
def test_whole_pixels_with_a_damaged_exif_block_are_read_upright(how: str, tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(exif(*DAMAGED[how]))
    assert read_rgb(tmp_path / "a.jpg").shape == (64, 32, 3)


@pytest.mark.parametrize("value", range(10))
def test_every_orientation_is_turned_as_pillow_does(value: int, tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 255, (8, 16, 3), np.uint8)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = value
    image.save(tmp_path / "a.png", exif=image.getexif())
    with Image.open(tmp_path / "a.png") as saved:
        assert (read_rgb(tmp_path / "a.png") == np.asarray(ImageOps.exif_transpose(saved))).all()


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
