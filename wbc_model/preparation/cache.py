"""The cache of prepared images: written once per machine, then memory-mapped by every trial that reads it."""

import glob
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from wbc_model.choices import SplitBy
from wbc_model.datasets.dataset import DataError, Dataset
from wbc_model.datasets.find import ImageFile, find, kind_of
from wbc_model.datasets.groups import groups_of
from wbc_model.datasets.spec import DataSpec
from wbc_model.errors import Damaged, decoding
from wbc_model.files import sha256_of, whole_folder
from wbc_model.preparation.build import build
from wbc_model.preparation.cache_folder import folder_name, most_bytes, require_room
from wbc_model.preparation.image_set import ImageSet
from wbc_model.preparation.manifest import Entry, fingerprint_of, read_manifest
from wbc_model.preparation.splits import SPLITS, Split


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
) -> Prepared:
    """The images of a spec from the cache, which is built first where it is missing.

    One process builds, others wait for it; a killed builder leaves nothing that could be taken for a cache.

    Args:
        data: the folder that the dataset lies in.
        workers: images examined at a time; None: one a core.
        limit: what all caches in the folder may take, in GB; None: what the disk has.

    Raises:
        DataError: data that is missing, of the other kind (published or drawn), wrongly laid out, or too large for
            the limit or the disk.
    """
    samples = files_of(spec, data=data)
    folder = cache / folder_name(spec, samples)
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                require_room(cache, need=most_bytes(len(samples), image_size=spec.image_size), limit=limit)
                groups = _groups(spec, samples, data=data, cache=cache, workers=workers)
                with whole_folder(folder) as draft:
                    build(spec, samples, draft, groups=groups, workers=workers)
    return _open(spec.dataset, folder)


def files_of(spec: DataSpec, *, data: Path) -> list[ImageFile]:
    """The image files of a spec, sorted by id.

    Raises:
        DataError: data that is missing, of the other kind (published or drawn), or wrongly laid out.
    """
    if data.is_dir() and kind_of(data) is not spec.images:
        raise DataError(f"{data} holds {kind_of(data)} images, and images={spec.images} was asked for")
    return find(spec.dataset, data)


def open_if_prepared(spec: DataSpec, files: Sequence[ImageFile], *, cache: Path) -> Prepared | None:
    """What is cached of a spec and its files; None if these files, as they are now, were not prepared yet."""
    folder = cache / folder_name(spec, files)
    return _open(spec.dataset, folder) if folder.exists() else None


def prepared_with(fingerprint: str, dataset: Dataset, *, image_size: int, cache: Path) -> Prepared | None:
    """What is cached of a dataset under that fingerprint, in its own stains; None if nothing is, or it is damaged.

    The dataset's files need not be there any more.
    """
    for manifest in sorted(cache.glob(f"{glob.escape(str(dataset))}-{image_size}-*/manifest.csv")):
        with suppress(Damaged):
            if fingerprint_of(read_manifest(manifest)) == fingerprint:
                with decoding(manifest.parent):
                    return _open(dataset, manifest.parent)
    return None


def _groups(
    spec: DataSpec, files: Sequence[ImageFile], *, data: Path, cache: Path, workers: int | None
) -> Mapping[str, str]:
    """The group of each image, for the split or, where it is told by names or a table, for the manifest alone."""
    rule = spec.dataset.groups
    if spec.split is SplitBy.SOURCE_GROUPED:
        return groups_of(spec.dataset, files, data=data, cache=cache, workers=workers)
    if rule is None or rule.photographs:
        return {}
    try:
        return groups_of(spec.dataset, files, data=data, cache=cache, workers=workers)
    except DataError:  # a file whose name tells no group; only a split by groups needs to know
        return {}


def corrupt_arrays(folder: Path) -> list[str]:
    """Names of the arrays in a cache folder whose bytes are not those that were written."""
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
        # never written to, but torch takes no read-only array
        pixels = np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
        sets[name] = ImageSet(pixels, labels, tuple(name for name, _ in rows), dataset.classes)
    return Prepared(sets, manifest, fingerprint_of(manifest), folder)
