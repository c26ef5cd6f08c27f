"""Small pictures of test images, from the cache of this machine or from the data folder."""

import io
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from upath import UPath

from analysis.runs.reading import Reading
from study.storage.manifests import kept_manifest
from wbc_model.datasets.dataset import DataError, Dataset
from wbc_model.datasets.find import ImageFile, find
from wbc_model.datasets.images import read_rgb, resized
from wbc_model.errors import Damaged
from wbc_model.files import sha256, sha256_of
from wbc_model.preparation.cache import prepared_with
from wbc_model.preparation.crop import NoCell, crop
from wbc_model.preparation.image_set import ImageSet

SIDE = 128
"""Of a picture, in pixels."""


class Pictures:
    """Where the pictures of a study's test images are found. None is shown of an image that may be another one."""

    def __init__(self, *, cached: Path, data: Path | None, storage: UPath | None) -> None:
        """
        Args:
            cached: the folder of prepared images; those with the fingerprint of a run's data are used.
            data: folder of the datasets; a file is used if its hash is that in the manifest of a run's data.
            storage: holds the manifests; None: runs were read from a server, and only the cache has pictures.
        """
        self._cached, self._data, self._storage = cached, data, storage
        self._test_set, self._files, self._hashes = cache(self._prepared), cache(self._found), cache(self._recorded)

    def of(self, dataset: Dataset, names: Iterable[str], *, side: int, fingerprint: str) -> Iterator[tuple[str, bytes]]:
        """The ids of those images that are found, each with its JPEG.

        Args:
            names: ids of test images.
            side: of the images that the model saw, in pixels.
            fingerprint: of the run's data.
        """
        shown = self._test_set(dataset, side, fingerprint)
        at = {name: i for i, name in enumerate(shown.ids)} if shown else {}
        for name in names:
            pixels = shown.pixels[at[name]] if shown and name in at else self._read(dataset, name, fingerprint)
            if pixels is not None:
                yield name, jpeg(resized(np.asarray(pixels), side=SIDE))

    def _prepared(self, dataset: Dataset, side: int, fingerprint: str) -> ImageSet | None:
        prepared = prepared_with(fingerprint, dataset, image_size=side, cache=self._cached)
        return prepared.sets["test"] if prepared else None

    def _read(self, dataset: Dataset, name: str, fingerprint: str) -> NDArray[np.uint8] | None:
        """The cell in an image file; None where there is no such file, or it has changed since it was tested on."""
        file = self._files(dataset).get(name)
        if file is None or self._hashes(dataset, fingerprint).get(name) != sha256_of(file.path):
            return None
        try:
            return crop(file, read_rgb(file.path), dataset=dataset)
        except NoCell:  # this version crops otherwise than the one that tested it
            return None

    def _found(self, dataset: Dataset) -> dict[str, ImageFile]:
        try:
            return {} if self._data is None else {file.id: file for file in find(dataset, self._data)}
        except DataError:
            return {}

    def _recorded(self, dataset: Dataset, fingerprint: str) -> dict[str, str]:
        if self._storage is None:
            return {}
        try:
            entries = kept_manifest(self._storage, dataset=dataset.name, fingerprint=fingerprint)
        except Damaged:  # the table of the datasets tells it
            return {}
        return {entry.id: entry.sha256 for entry in entries or ()}


def gradcam(reading: Reading, trial_id: str) -> bytes | None:
    """A trial's Grad-CAM sheet as JPEG, a tenth of the size of the PNG; None if it has none."""
    png = reading.fetch(trial_id, "gradcam.png")
    return jpeg(np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))) if png else None


def save_picture(content: bytes, folder: Path) -> str:
    """Write a JPEG under a name made from its content, since trials share test images.

    Returns:
        Its address from `folder`.
    """
    address = f"images/{sha256(content)[:16]}.jpg"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / address).write_bytes(content)
    return address


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """RGB pixels (H, W, 3) as JPEG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=80, optimize=True)
    return file.getvalue()
