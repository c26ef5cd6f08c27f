"""Decode, crop and augment the images once per machine; every trial then reads the same memory-mapped bytes."""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock

from wbc_model.choices import SplitBy
from wbc_model.datasets.dataset import DataError, Dataset
from wbc_model.datasets.find import find, kind_of
from wbc_model.datasets.groups import groups_of
from wbc_model.datasets.spec import DataSpec
from wbc_model.files import sha256_of, whole_folder
from wbc_model.preparation.build import build
from wbc_model.preparation.cache_folder import folder_name, require_room
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
    spec: DataSpec,
    *,
    data: Path,
    cache: Path,
    workers: int | None = None,
    limit: float | None = None,
    may_build: bool = True,
) -> Prepared:
    """The images of a spec from the cache, which is built first where it is missing.

    One process builds, with as many workers as asked for (one a core), others wait for it; a killed builder leaves
    nothing that could be taken for a cache.

    Args:
        data: the folder that the dataset lies in.
        limit: what all caches in the folder may take, in GB; None: what the disk has.
        may_build: False: only what is cached already is opened.

    Raises:
        DataError: data that is missing, of the other kind (published or drawn), wrongly laid out, or too large for
            the limit or the disk, or that is not prepared and may not be.
    """
    if data.is_dir() and kind_of(data) is not spec.images:
        raise DataError(f"{data} holds {kind_of(data)} images, and images={spec.images} was asked for")
    samples = find(spec.dataset, data)
    folder = cache / folder_name(spec, samples)
    if not folder.exists() and not may_build:
        raise DataError(f"{spec} is not prepared in {cache}")
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                require_room(cache, images=len(samples), image_size=spec.image_size, limit=limit)
                groups = None
                if spec.split is SplitBy.SOURCE_GROUPED:
                    groups = groups_of(spec.dataset, samples, data=data, cache=cache, workers=workers)
                assign = partial(split, spec.dataset, by=spec.split, groups=groups)
                with whole_folder(folder) as draft:
                    build(spec, samples, draft, assign=assign, workers=workers)
    return _open(spec.dataset, folder)


def damage(folder: Path) -> list[str]:
    """Names of the arrays of a cache whose bytes are not those that were written."""
    hashes = json.loads((folder / "sha256.json").read_text())
    return [name for name, sha256 in hashes.items() if sha256_of(folder / name) != sha256]


def _open(dataset: Dataset, folder: Path) -> Prepared:
    manifest = read_manifest(folder / "manifest.csv")
    sets: dict[Split, ImageSet] = {}
    for name in SPLITS:
        kept = [entry for entry in manifest if entry.split == name]
        copies = [(f"{entry.id}#{k + 1}", entry.cell) for entry in kept for k in range(entry.copies)]
        rows = [(entry.id, entry.cell) for entry in kept] + copies
        labels = np.array([dataset.classes.index(cell) for _, cell in rows], dtype=np.int64)
        pixels = np.load(folder / f"{name}.npy", mmap_mode="c")  # never written to; torch takes no read-only array
        sets[name] = ImageSet(pixels, labels, tuple(name for name, _ in rows), dataset.classes)
    lines = sorted(f"{entry.split} {entry.cell} {entry.copies} {entry.sha256}" for entry in manifest if entry.split)
    fingerprint = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    return Prepared(sets, manifest, fingerprint, folder)
