"""The pictures that a user names, and the cells cut out of them as those were that a model was trained on."""

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import DataError, Dataset
from wbc_model.datasets.images import read_rgb
from wbc_model.errors import InputError
from wbc_model.files import user_path
from wbc_model.preparation.crop import NoCell, as_input, cell_box, square
from wbc_model.preparation.segment import Box, find_cells


@dataclass(frozen=True)
class Picture:
    """A picture and its cells."""

    file: Path
    rgb: NDArray[np.uint8]
    """(H, W, 3). A JPEG that is not cropped may have been decoded at a reduced size."""
    boxes: tuple[Box | None, ...]
    """Where each cell was cut out; None: the whole picture is the cell."""
    crops: NDArray[np.uint8]
    """The cells as the model sees them, (N, S, S, 3)."""


@dataclass(frozen=True)
class Skipped:
    """A picture that nothing is predicted for."""

    file: Path
    why: str


def find_pictures(given: Iterable[str | Path]) -> list[Path]:
    """The files that are meant, each once, in the order in which they are named; those of a folder or glob are sorted.

    A folder stands for all files below it whose names end as those of pictures do and that are not hidden.

    Raises:
        InputError: there is no such file, or no picture in a folder or for a glob.
    """
    return list(dict.fromkeys(file for name in given for file in _meant_by(name)))


def _meant_by(name: str | Path) -> Iterator[Path]:
    path = user_path(str(name))
    if path.is_file():
        yield path
        return
    found = [path] if path.is_dir() else [Path(file) for file in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - absolute patterns
    files = [file for entry in found for file in (_in_folder(entry) if entry.is_dir() else [entry])]
    if not files:
        raise InputError(f"{path}: {'no picture in this folder' if path.is_dir() else 'no such file'}")
    yield from files


def _in_folder(folder: Path) -> list[Path]:
    Image.init()
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    files = (file for file in folder.rglob("*") if file.suffix.lower() in endings and file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def read_picture(file: Path, *, config: TrialConfig, photographs: bool, margin: float) -> Picture | Skipped:
    """A picture and its cells, or why it cannot be used.

    Args:
        config: of the model that is to see them.
        photographs: any number of cells is looked for; else there is one, cut out as the training images were.
        margin: by which the boxes of a photograph's cells are widened on each side, as a share of that side.
    """
    whole = config.dataset.crop == "none" and not photographs
    try:
        rgb = read_rgb(file, at_least=config.image_size if whole else None)
        boxes = _of_field(rgb, margin) if photographs else [None if whole else _of_cell(file, rgb, config.dataset)]
    except (DataError, NoCell) as error:
        return Skipped(file, str(error).removeprefix(f"{file}: "))
    parts = [rgb if box is None else rgb[box[1] : box[3], box[0] : box[2]] for box in boxes]
    crops = [as_input(part, config.data) for part in parts]
    return Picture(file, rgb, tuple(boxes), np.array(crops).reshape(-1, config.image_size, config.image_size, 3))


def _of_cell(file: Path, rgb: NDArray[np.uint8], dataset: Dataset) -> Box:
    """As `preparation.crop` does; but where a mask is wanted and a new picture has none, by segmentation."""
    if dataset.crop == "mask" and not dataset.mask_of(file).exists():
        dataset = replace(dataset, crop="segment", mask="")
    return cell_box(file, rgb, dataset=dataset)


def _of_field(rgb: NDArray[np.uint8], margin: float) -> list[Box]:
    """The box of every white cell, in the order of reading: from the top, then from the left."""
    height, width = rgb.shape[:2]
    boxes = [square(_widened(cell.box, margin, rgb), height=height, width=width) for cell in find_cells(rgb)]
    return sorted(boxes, key=lambda box: (box[1], box[0]))


def _widened(box: Box, margin: float, rgb: NDArray[np.uint8]) -> Box:
    left, top, right, bottom = box
    wide, high = round(margin * (right - left)), round(margin * (bottom - top))
    return max(0, left - wide), max(0, top - high), min(rgb.shape[1], right + wide), min(rgb.shape[0], bottom + high)
