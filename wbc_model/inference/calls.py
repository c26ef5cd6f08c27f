"""What a model calls the cells of new pictures, and how sure it is."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wbc_model.errors import InputError
from wbc_model.inference.calibration import apply_temperature
from wbc_model.inference.model_file import SavedModel
from wbc_model.inference.model_info import ModelInfo
from wbc_model.inference.pictures import Picture, Skipped, find_pictures, read_picture
from wbc_model.plain_text import printable
from wbc_model.preparation.image_set import ImageSet
from wbc_model.preparation.segment import Box
from wbc_model.training import device as devices
from wbc_model.training.predict import BATCH
from wbc_model.training.predict import predict as probabilities_of

PHOTOGRAPHS_AT_A_TIME = 16
"""So few are held in memory, because each may have tens of megapixels and any number of cells."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What one cell is called."""

    file: str
    """The picture, as it was named; control characters are shown as escapes."""
    box: Box | None
    """(left, top, right, bottom) in pixels of the upright picture; None: the whole picture."""
    cell: str
    """The most probable class."""
    probabilities: tuple[float, ...]
    """Calibrated, of each class of the model, in its order."""
    sure: bool
    """Whether the probability of `cell` reaches the model's threshold."""

    @property
    def probability(self) -> float:
        return max(self.probabilities)


@dataclass(frozen=True)
class Examined:
    """A picture with a call for each of its cells."""

    picture: Picture
    calls: tuple[Call, ...]


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """The calls for some pictures."""

    info: ModelInfo
    """Of the model."""
    calls: tuple[Call, ...]
    files: tuple[str, ...]
    """The pictures that were examined, those in which no cell was found included."""
    skipped: dict[str, str]
    """Why each of the other pictures was not."""


def predict(
    model: SavedModel,
    images: str | Path | Sequence[str | Path],
    *,
    photographs: bool = False,
    margin: float = 0,
    device: str | None = None,
) -> Predicted:
    """The class of each cell in some pictures.

    Args:
        images: files, folders and globs.
        photographs: whole fields, in which white cells are looked for; else each picture shows one cell.
        margin: by which the boxes of cells found in photographs are widened, as a share of each side.
        device: `cpu` or `cuda`; None: a GPU if there is one.

    Raises:
        InputError: there is no such picture or device.
    """
    files = find_pictures([images] if isinstance(images, str | Path) else images)
    found = list(examine(model, files, photographs=photographs, margin=margin, device=device))
    examined = [one for one in found if isinstance(one, Examined)]
    return Predicted(
        info=model.info,
        calls=tuple(call for one in examined for call in one.calls),
        files=tuple(printable(str(one.picture.file)) for one in examined),
        skipped={printable(str(one.file)): printable(one.why) for one in found if isinstance(one, Skipped)},
    )


def examine(
    model: SavedModel, files: Sequence[Path], *, photographs: bool, margin: float, device: str | None
) -> Iterator[Examined | Skipped]:
    """Each file with its calls, or why it is skipped, in order; read by threads and predicted in batches.

    Raises:
        InputError: there is no such device.
    """
    device = choose_device(device)
    network = model.network.to(device)
    size = PHOTOGRAPHS_AT_A_TIME if photographs else BATCH[torch.device(device).type]
    read = partial(read_picture, config=model.info.config, photographs=photographs, margin=margin)
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(files), size):
            found = list(pool.map(read, files[start : start + size]))
            crops = [one.crops for one in found if isinstance(one, Picture) and one.boxes]
            calibrated = iter(
                _calibrated(SavedModel(network, model.info), np.concatenate(crops), device) if crops else []
            )
            for one in found:
                yield one if isinstance(one, Skipped) else Examined(one, tuple(_calls(one, model.info, calibrated)))


def choose_device(wanted: str | None) -> str:
    """The device that is wanted; None: the best that there is.

    Raises:
        InputError: it is no name of a device, or there is none of that kind.
    """
    best = devices.choose()
    try:
        kind = torch.device(wanted or best).type
    except RuntimeError as error:
        raise InputError(f"--device {wanted}: wanted cpu, cuda or cuda:N") from error
    if kind not in ("cpu", best):
        raise InputError(f"--device {wanted}: torch finds no such device here; wanted {' or '.join({'cpu', best})}")
    return wanted or best


def _calibrated(model: SavedModel, crops: NDArray[np.uint8], device: str) -> NDArray[np.floating]:
    """Calibrated probabilities (N, classes) of cells (N, S, S, 3)."""
    unlabelled = ImageSet(crops, np.zeros(len(crops), np.int64), (), model.info.config.dataset.classes)
    probabilities = probabilities_of(model.network, unlabelled, device=device)
    return apply_temperature(probabilities, model.info.calibration.temperature)


def _calls(picture: Picture, info: ModelInfo, calibrated: Iterator[NDArray[np.floating]]) -> Iterator[Call]:
    """The calls for a picture's cells, whose probabilities are the next ones."""
    for box in picture.boxes:
        probabilities = next(calibrated)
        yield Call(
            file=printable(str(picture.file)),
            box=box,
            cell=info.config.dataset.classes[int(probabilities.argmax())],
            probabilities=tuple(map(float, probabilities)),
            sure=bool(probabilities.max() >= info.calibration.threshold),
        )
