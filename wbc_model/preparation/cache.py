"""Decode, crop and augment the images once per machine; every trial then reads the same memory-mapped bytes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock

from wbc_model.choices import Augmentation, Dataset, ImageSource, SplitBy
from wbc_model.datasets.bccd_photographs import origins
from wbc_model.datasets.dataset import DataError, ImageFile, find, kind_of
from wbc_model.files import sha256_of, whole_folder
from wbc_model.preparation.build import build
from wbc_model.preparation.cache_folder import _key, require_room
from wbc_model.preparation.image_set import ImageSet
from wbc_model.preparation.manifest import Entry, read_manifest
from wbc_model.preparation.splits import SPLITS, Split, split


@dataclass(frozen=True)
class Prepared:
    """A dataset ready to train on."""

    sets: dict[Split, ImageSet]
    manifest: tuple[Entry, ...]
    """Every file found, by id."""
    fingerprint: str
    """Hash over every image's content, class and set: two machines with equal fingerprints train on equal data."""
    folder: Path


def prepare(
    dataset: Dataset,
    *,
    images: ImageSource,
    augmentation: Augmentation,
    data: Path,
    cache: Path,
    image_size: int,
    by: SplitBy = SplitBy.RANDOM,
    workers: int | None = None,
    limit: float | None = None,
    may_build: bool = True,
) -> Prepared:
    """The dataset below `data` at one image size, from the cache; built first where it is missing.

    One process builds, with as many workers as asked for (one a core), others wait for it; a killed builder leaves
    nothing that could be taken for a cache.

    Args:
        limit: what all caches in the folder may take, in GB; None: what the disk has.
        may_build: else only what is there already will do.

    Raises:
        DataError: data that is missing, of the other kind (published or drawn), wrongly laid out, or too large for
            the limit or the disk, or that is not prepared and may not be.
    """
    if data.is_dir() and kind_of(data) is not images:
        raise DataError(f"{data} holds {kind_of(data)} images, and images={images} was asked for")
    samples = find(dataset, data)
    folder = cache / f"{dataset}-{image_size}-{_key(dataset, samples, [augmentation, by])}"
    if not folder.exists() and not may_build:
        raise DataError(f"{dataset} at {image_size} px is not prepared in {cache}")
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                require_room(cache, images=len(samples), image_size=image_size, limit=limit)
                groups = None
                if by is SplitBy.SOURCE_GROUPED:
                    groups = _groups(dataset, samples, images, data=data, cache=cache, workers=workers)
                assign = partial(split, dataset, by=by, groups=groups)
                with whole_folder(folder) as draft:
                    build(dataset, samples, draft, augmentation=augmentation, assign=assign, image_size=image_size,
                          workers=workers)  # fmt: skip
    return _open(dataset, folder)


def damage(folder: Path) -> list[str]:
    """Names of the arrays of a cache whose bytes are not those that were written."""
    hashes = json.loads((folder / "sha256.json").read_text())
    return [name for name, sha256 in hashes.items() if sha256_of(folder / name) != sha256]


def _groups(
    dataset: Dataset, samples: Sequence[ImageFile], images: ImageSource, *, data: Path, cache: Path, workers: int | None
) -> dict[str, str]:
    """Which cell each image shows; every drawing shows one of its own."""
    if dataset is not Dataset.BCCD:
        raise DataError(f"split=source_grouped wants bccd: which cells {dataset} shows twice cannot be told")
    if images is ImageSource.DRAWN:
        return {sample.id: sample.id for sample in samples}
    return origins(samples, data=data, cache=cache, workers=workers).cells()


def _open(dataset: Dataset, folder: Path) -> Prepared:
    manifest = read_manifest(folder / "manifest.csv")
    sets: dict[Split, ImageSet] = {}
    for name in SPLITS:
        kept = [entry for entry in manifest if entry.split == name]
        copies = [(f"{entry.id}#{k + 1}", entry.cell) for entry in kept for k in range(entry.copies)]
        rows = [(entry.id, entry.cell) for entry in kept] + copies
        labels = np.array([dataset.cells.index(cell) for _, cell in rows], dtype=np.int64)
        pixels = np.load(folder / f"{name}.npy", mmap_mode="c")  # never written to; torch takes no read-only array
        sets[name] = ImageSet(pixels, labels, tuple(name for name, _ in rows), dataset.cells)
    lines = sorted(f"{entry.split} {entry.cell} {entry.copies} {entry.sha256}" for entry in manifest if entry.split)
    fingerprint = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    return Prepared(sets, manifest, fingerprint, folder)
