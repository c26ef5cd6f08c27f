"""Find the photograph that each image is a copy of (BCCD), once, and keep the result in the cache. Needs no torch."""

import csv
import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
from tqdm import tqdm

from wbc_model.datasets.dataset import DataError
from wbc_model.datasets.find import ImageFile
from wbc_model.datasets.images import read_rgb
from wbc_model.datasets.photo_matching import PhotoMatcher
from wbc_model.errors import decoding
from wbc_model.files import whole_file

UNKNOWN = "unknown"
"""Stands for the photograph of images that match none; in BCCD, 15 images of one unpublished photograph."""


@dataclass(frozen=True)
class PhotographOrigins:
    """The photograph behind each image, and the photographs that show the same cell."""

    photograph: dict[str, str]
    """Image id -> name of its photograph, or `UNKNOWN`."""
    same_cell: tuple[tuple[str, str], ...]
    """Pairs of photographs that show one white cell."""

    def cells(self) -> dict[str, str]:
        """Image id -> a name for the cell that it shows: that of the first photograph of the cell."""
        first = {name: name for name in self.photograph.values()}
        for a, b in sorted(self.same_cell):
            old, new = first.setdefault(b, b), first.setdefault(a, a)
            first = {name: new if cell == old else cell for name, cell in first.items()}
        return {image: first[name] for image, name in self.photograph.items()}


def origins(
    samples: Sequence[ImageFile], *, folders: Sequence[str], data: Path, cache: Path, workers: int | None = None
) -> PhotographOrigins:
    """Match images to the photographs they are copies of; this takes minutes the first time, and is then cached.

    Args:
        folders: where the photographs may lie, below `data` or one level deeper; the first that has any is used.
        cache: the folder in which the result is kept, under a hash of the names and sizes of all files.
        workers: images matched at a time; None: one a core.

    Raises:
        DataError: there are no photographs, or one cannot be read.
    """
    files = _files(data, folders)
    stats = [(file.name, file.stat().st_size) for file in files]
    stats += [(sample.path.name, sample.size) for sample in samples]
    path = cache / f"bccd-photographs-{hashlib.sha256(repr(stats).encode()).hexdigest()[:12]}.csv"
    if not path.exists():
        _write(path, _match(samples, files, workers=workers))
    return read_origins(path)


def read_origins(path: Path) -> PhotographOrigins:
    """Read a result that `origins` has kept in the cache, `bccd-photographs-*.csv`.

    Raises:
        Damaged: it is another file.
    """
    content = path.read_bytes()
    with decoding(path):
        rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
        pairs = tuple((a, b) for kind, a, b in rows if kind == "same cell")
        return PhotographOrigins({image: name for kind, image, name in rows if kind == "image"}, pairs)


def _match(samples: Sequence[ImageFile], files: Sequence[Path], *, workers: int | None) -> PhotographOrigins:
    cv2.setNumThreads(1)  # the pool's threads suffice
    photographs = PhotoMatcher({file.stem: read_rgb(file) for file in files})
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        jobs = pool.map(lambda sample: _match_one(sample, photographs), samples)
        bar = tqdm(jobs, total=len(samples), desc="match images to photographs", unit=" images", disable=None)
        found = {sample.id: name for sample, name in zip(samples, bar, strict=True)}
    return PhotographOrigins(found, tuple(photographs.same_cell()))


def _match_one(sample: ImageFile, photographs: PhotoMatcher) -> str:
    try:
        match = photographs.match(read_rgb(sample.path))
    except DataError:  # cannot be decoded; `prepare` reports it
        return UNKNOWN
    return match.photograph if match else UNKNOWN


def _write(path: Path, found: PhotographOrigins) -> None:
    with whole_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerows(("image", *item) for item in found.photograph.items())
        lines.writerows(("same cell", *pair) for pair in found.same_cell)


def _files(data: Path, folders: Sequence[str]) -> list[Path]:
    for base in (data, *sorted(entry for entry in data.glob("*") if entry.is_dir())):
        for folder in folders:
            if files := sorted((base / folder).glob("*.jpg")):
                return files
    raise DataError(f"wanted the photographs that the images are copies of in {data}/{folders[0]}, found none")
