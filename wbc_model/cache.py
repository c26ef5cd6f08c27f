"""Decode and resize each image once per machine; every trial then reads the same memory-mapped bytes."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image
from tqdm import tqdm

from wbc_model.choices import Dataset, Images
from wbc_model.datasets import DataError, Sample, find, kind_of
from wbc_model.splits import SPLITS, Split, split

FORMAT = 1
"""Bumped when the same files give other bytes."""


@dataclass(frozen=True)
class ImageSet:
    """Images of one set: uint8 RGB pixels (N, S, S, 3), usually a window on a file, and class indices (N,)."""

    pixels: np.ndarray
    labels: np.ndarray
    ids: tuple[str, ...]
    cells: tuple[str, ...]
    """Class names: `cells[label]`."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Prepared:
    """A dataset ready to train on."""

    sets: dict[Split, ImageSet]
    fingerprint: str
    """Hash over every image's content, class and set: two machines with equal fingerprints train on equal data."""


def prepare(dataset: Dataset, *, images: Images, data: Path, cache: Path, image_size: int) -> Prepared:
    """The dataset below `data` at one image size, from the cache; built first where it is missing.

    One process builds, others wait for it; a killed builder leaves nothing that could be taken for a cache.

    Raises:
        DataError: data that is missing, of the other kind (published or drawn), wrongly laid out or damaged.
    """
    if data.is_dir() and kind_of(data) is not images:
        raise DataError(f"{data} holds {kind_of(data)} images, and images={images} was asked for")
    samples = find(dataset, data)
    sets = split(dataset, samples)
    folder = cache / f"{dataset}-{image_size}-{_key(sets)}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                _build(dataset, sets, folder, image_size=image_size)
    return _open(dataset, folder)


def _key(sets: Mapping[Split, Sequence[Sample]]) -> str:
    """Changes when a file comes, goes, is rewritten or falls into another class or set, without reading any."""
    samples = [
        (name, sample.id, sample.cell, sample.path.stat()) for name, members in sets.items() for sample in members
    ]
    stats = [(name, sample, cell, stat.st_size, stat.st_mtime_ns) for name, sample, cell, stat in samples]
    return hashlib.sha256(json.dumps([FORMAT, stats]).encode()).hexdigest()[:12]


def _build(dataset: Dataset, sets: Mapping[Split, Sequence[Sample]], folder: Path, *, image_size: int) -> None:
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    manifest = []
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(total=sum(map(len, sets.values())), desc=f"prepare {dataset}, {image_size} px", disable=None) as bar,
    ):
        for name, members in sets.items():
            shape = (len(members), image_size, image_size, 3)
            pixels = np.lib.format.open_memmap(draft / f"{name}.npy", mode="w+", dtype=np.uint8, shape=shape)
            jobs = pool.map(lambda sample: _decode(sample, image_size=image_size), members)
            for i, (sample, (image, sha256)) in enumerate(zip(members, jobs, strict=True)):
                pixels[i] = image
                manifest.append({"id": sample.id, "cell": sample.cell, "split": name, "sha256": sha256})
                bar.update()
            pixels.flush()
    (draft / "manifest.json").write_text(json.dumps(manifest))
    draft.rename(folder)


def _decode(sample: Sample, *, image_size: int) -> tuple[np.ndarray, str]:
    """Stretched to a square, RGB; and the hash of the file."""
    size = (image_size, image_size)
    try:
        with Image.open(sample.path) as image:
            image.draft("RGB", size)  # JPEG decodes at a reduced size where that is still large enough
            pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BILINEAR))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{sample.path}: cannot be decoded as an image ({error})") from error
    return pixels, hashlib.sha256(sample.path.read_bytes()).hexdigest()


def _open(dataset: Dataset, folder: Path) -> Prepared:
    manifest = json.loads((folder / "manifest.json").read_text())
    sets: dict[Split, ImageSet] = {}
    for name in SPLITS:
        rows = [row for row in manifest if row["split"] == name]
        labels = np.array([dataset.cells.index(row["cell"]) for row in rows], dtype=np.int64)
        pixels = np.load(folder / f"{name}.npy", mmap_mode="r")
        sets[name] = ImageSet(pixels, labels, tuple(row["id"] for row in rows), dataset.cells)
    lines = sorted(f"{row['split']} {row['cell']} {row['sha256']}" for row in manifest)
    return Prepared(sets, hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16])
