"""Write a cache folder: decode, crop and resize every file once, split, and augment the training set."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from wbc_model.choices import SplitBy
from wbc_model.datasets.dataset import DataError
from wbc_model.datasets.find import ImageFile
from wbc_model.datasets.images import pixels_of, read_rgb
from wbc_model.datasets.spec import DataSpec
from wbc_model.files import sha256_of
from wbc_model.preparation.crop import NoCell, as_input, crop
from wbc_model.preparation.manifest import Entry, write_manifest
from wbc_model.preparation.splits import Split, joined, split

WORTH_PROCESSES = 1000
"""From this many pictures on, segmentation runs in processes, because Python's lock leaves threads little faster than
one; fewer are done before processes have started. Decoding alone runs well in threads."""

NOT_SPLIT = {
    SplitBy.SOURCE_GROUPED: "is of a group that is in the test set",
    SplitBy.DUPLICATES_GROUPED: "equals a file of the test set",
}
"""Why a usable image is in no set, beside a test set that the authors fixed."""


def build(
    spec: DataSpec, samples: Sequence[ImageFile], draft: Path, *, groups: Mapping[str, str], workers: int | None
) -> None:
    """Write a dataset's arrays, their hashes and the manifest into an empty folder.

    Args:
        groups: the group of each image by its id; empty where that is not known.
        workers: images examined at a time; None: one a core.

    Raises:
        DataError: the images do not suffice for the split.
    """
    every = _array(draft / "all.npy", len(samples), image_size=spec.image_size)
    entries: dict[str, Entry] = {}
    backend = "loky" if spec.dataset.crop != "none" and len(samples) >= WORTH_PROCESSES else "threading"
    pool = Parallel(workers or os.cpu_count(), backend, return_as="generator", batch_size=1)
    jobs = pool(delayed(_examine)(sample, spec=spec) for sample in samples)
    with tqdm(total=len(samples), desc=f"prepare {spec}", unit=" images", disable=None) as bar:
        for i, (entry, pixels) in enumerate(jobs):
            entries[entry.id] = entry
            if pixels is not None:
                every[i] = pixels
            bar.update()
    at = {sample.id: i for i, sample in enumerate(samples)}
    for name, members in _split(spec, samples, entries, groups).items():
        kept = sorted(members, key=lambda sample: sample.id)  # the manifest's order
        chosen = _to_copy(spec, kept) if name == "train" else []
        _write_set(draft / f"{name}.npy", every, [at[sample.id] for sample in kept], chosen)
        copies = Counter(chosen)
        for i, sample in enumerate(kept):
            entries[sample.id] = replace(entries[sample.id], split=name, copies=copies[i])
    for entry in entries.values():
        if not entry.split and not entry.excluded:
            entries[entry.id] = replace(entry, excluded=NOT_SPLIT[spec.split])
    del every
    (draft / "all.npy").unlink()
    (draft / "sha256.json").write_text(json.dumps({file.name: sha256_of(file) for file in draft.glob("*.npy")}))
    write_manifest(draft / "manifest.csv", (replace(e, group=groups.get(e.id, "")) for e in entries.values()))


def _split(
    spec: DataSpec, samples: Sequence[ImageFile], entries: Mapping[str, Entry], groups: Mapping[str, str]
) -> Mapping[Split, Sequence[ImageFile]]:
    """The sets of the files that are not left out. If these are too few, the error says why the others are."""
    left_out = [entry for entry in entries.values() if entry.excluded]
    hashes = {entry.id: entry.sha256 or entry.id for entry in entries.values()}  # a link without content equals none
    together = {SplitBy.DUPLICATES_GROUPED: hashes, SplitBy.SOURCE_GROUPED: joined(groups, hashes)}
    try:
        usable = [sample for sample in samples if not entries[sample.id].excluded]
        return split(spec.dataset, usable, by=spec.split, groups=together.get(spec.split))
    except DataError as error:
        why = "".join(f"\n{len(left_out)} left out, the first, {entry.id}: {entry.excluded}" for entry in left_out[:1])
        raise DataError(f"{error}{why}") from error


def _examine(sample: ImageFile, *, spec: DataSpec) -> tuple[Entry, np.ndarray | None]:
    """The entry of a file, not yet in a set, and the pixels (S, S, 3) of its cell; None for a file that is left out."""
    cv2.setNumThreads(1)  # the pool's workers are enough
    if sample.lacking:
        return Entry(sample.id, sample.cell, "", 0, "", sample.lacking, size=0), None
    sha256 = sha256_of(sample.path)
    entry = Entry(sample.id, sample.cell, "", 0, sha256, "", size=sample.size)
    try:
        rgb = read_rgb(sample.path, at_least=spec.image_size if spec.dataset.crop == "none" else None)
        entry = replace(entry, pixels=pixels_of(sample.path))
        return entry, as_input(crop(sample, rgb, dataset=spec.dataset), spec)
    except (DataError, NoCell) as error:
        return replace(entry, excluded=str(error)), None


def _to_copy(spec: DataSpec, members: Sequence[ImageFile]) -> list[int]:
    """Indices of the training images to make copies of."""
    # albumentations takes seconds to load: not where a cache is only read
    from wbc_model.preparation.augment import images_to_copy

    labels = np.array([spec.dataset.classes.index(sample.cell) for sample in members])
    return images_to_copy(labels, dataset=spec.dataset, how=spec.augmentation)


def _write_set(path: Path, every: np.ndarray, rows: list[int], chosen: list[int]) -> None:
    """Write a set's images, which are some rows of `every`, and after them copies of the chosen ones of these."""
    from wbc_model.preparation.augment import copies

    array = _array(path, len(rows) + len(chosen), image_size=every.shape[1])
    for i, row in enumerate(rows):
        array[i] = every[row]
    with tqdm(total=len(chosen), desc="augment", unit=" images", disable=None if chosen else True) as bar:
        for i, copy in enumerate(copies(array, chosen), start=len(rows)):
            array[i] = copy
            bar.update()
    array.flush()


def _array(path: Path, n: int, *, image_size: int) -> np.memmap:
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, image_size, image_size, 3))
