"""Decode, crop and augment the images once per machine; every trial then reads the same memory-mapped bytes."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock

from wbc_model.build import build
from wbc_model.choices import Augmentation, Dataset, Images, SplitBy
from wbc_model.crop import mask_of
from wbc_model.datasets import DataError, Sample, find, kind_of
from wbc_model.manifest import Entry, read_manifest, sha256_of
from wbc_model.photographs import origins
from wbc_model.splits import SPLITS, Split, split

FORMAT = 2
"""Bumped when the same files give other bytes."""


@dataclass(frozen=True)
class ImageSet:
    """Images of one set: uint8 RGB pixels (N, S, S, 3), usually a window on a file, and class indices (N,)."""

    pixels: np.ndarray
    labels: np.ndarray
    ids: tuple[str, ...]
    """Of a copy: its parent's id, #, and its number."""
    cells: tuple[str, ...]
    """Class names: `cells[label]`."""

    def __len__(self) -> int:
        return len(self.labels)


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
    images: Images,
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
                draft = folder.with_suffix(".part")
                shutil.rmtree(draft, ignore_errors=True)
                draft.mkdir()
                groups = None
                if by is SplitBy.SOURCE_GROUPED:
                    groups = _groups(dataset, samples, images, data=data, cache=cache, workers=workers)
                assign = partial(split, dataset, by=by, groups=groups)
                build(dataset, samples, draft, augmentation=augmentation, assign=assign, image_size=image_size,
                      workers=workers)  # fmt: skip
                draft.rename(folder)
    return _open(dataset, folder)


def damage(folder: Path) -> list[str]:
    """Names of the arrays of a cache whose bytes are not those that were written."""
    hashes = json.loads((folder / "sha256.json").read_text())
    return [name for name, sha256 in hashes.items() if sha256_of(folder / name) != sha256]


def _key(dataset: Dataset, samples: Sequence[Sample], settings: list[str]) -> str:
    """Changes when a file comes, goes or is rewritten, or the settings change, without reading any."""
    files = [(sample.id, sample.path) for sample in samples]
    if dataset is Dataset.LISC:
        files += [(f"mask of {name}", mask_of(path)) for name, path in files]
    stats = [(name, path.stat()) for name, path in files if path.exists()]
    content = [FORMAT, settings, [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _groups(
    dataset: Dataset, samples: Sequence[Sample], images: Images, *, data: Path, cache: Path, workers: int | None
) -> dict[str, str]:
    """Which cell each image shows; every drawing shows one of its own."""
    if dataset is not Dataset.BCCD:
        raise DataError(f"split=source_grouped wants bccd: which cells {dataset} shows twice cannot be told")
    if images is Images.DRAWN:
        return {sample.id: sample.id for sample in samples}
    return origins(samples, data=data, cache=cache, workers=workers).cells()


def require_room(cache: Path, *, images: int, image_size: int, limit: float | None) -> None:
    """Before anything is written: the arrays, as many copies, and a draft, are at most thrice the images.

    Raises:
        DataError: the limit or the disk allows less.
    """
    need, free = 3 * images * image_size**2 * 3, shutil.disk_usage(cache).free
    held = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) if limit is not None else 0
    if limit is not None and held + need > limit * 1e9:
        raise DataError(
            f"the cache {cache} holds {held / 1e9:.1f} GB and may need {need / 1e9:.1f} GB more, over its limit of "
            f"{limit:g} GB: delete folders in it that are not used (they are made again), or raise --cache-limit"
        )
    if need > free:
        raise DataError(
            f"the cache {cache} may need {need / 1e9:.1f} GB, and its disk has {free / 1e9:.1f} GB left: "
            "make room, or choose another place with --cache"
        )


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
