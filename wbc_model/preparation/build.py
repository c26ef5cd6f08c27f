"""Make what the cache holds: decode, crop and resize every file once, split, and augment the training set."""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from wbc_model.datasets.dataset import DataError, Dataset
from wbc_model.datasets.find import ImageFile
from wbc_model.datasets.images import read_rgb, resized
from wbc_model.datasets.spec import DataSpec
from wbc_model.files import sha256_of
from wbc_model.preparation.crop import NoCell, crop
from wbc_model.preparation.manifest import Entry, write_manifest
from wbc_model.preparation.splits import Split

Assign = Callable[[Sequence[ImageFile]], Mapping[Split, Sequence[ImageFile]]]
"""Samples -> the sets they are in."""

WORTH_PROCESSES = 1000
"""Pictures to segment: Python's lock lets threads segment hardly faster than one, and fewer are done before processes
have started. Decoders work beside each other in threads."""


def build(spec: DataSpec, samples: Sequence[ImageFile], draft: Path, *, assign: Assign, workers: int | None) -> None:
    """Write a dataset's arrays, their hashes and the manifest into an empty folder."""
    every = _array(draft / "all.npy", len(samples), image_size=spec.image_size)
    entries: dict[str, Entry] = {}
    backend = "loky" if spec.dataset.crop != "none" and len(samples) >= WORTH_PROCESSES else "threading"
    pool = Parallel(workers or os.cpu_count(), backend, return_as="generator", batch_size=1)
    jobs = pool(delayed(_examine)(sample, dataset=spec.dataset, image_size=spec.image_size) for sample in samples)
    with tqdm(total=len(samples), desc=f"prepare {spec}", unit=" images", disable=None) as bar:
        for i, (entry, pixels) in enumerate(jobs):
            entries[entry.id] = entry
            if pixels is not None:
                every[i] = pixels
            bar.update()
    at = {sample.id: i for i, sample in enumerate(samples)}
    for name, members in _split(assign, samples, entries).items():
        kept = sorted(members, key=lambda sample: sample.id)  # the manifest's order
        chosen = _parents(spec, kept) if name == "train" else []
        _write_set(draft / f"{name}.npy", every, [at[sample.id] for sample in kept], chosen)
        copies = Counter(chosen)
        for i, sample in enumerate(kept):
            entries[sample.id] = replace(entries[sample.id], split=name, copies=copies[i])
    for entry in entries.values():
        if not entry.split and not entry.excluded:
            entries[entry.id] = replace(entry, excluded="is of a group that is in the test set")
    del every
    (draft / "all.npy").unlink()
    (draft / "sha256.json").write_text(json.dumps({file.name: sha256_of(file) for file in draft.glob("*.npy")}))
    write_manifest(draft / "manifest.csv", entries.values())


def _split(
    assign: Assign, samples: Sequence[ImageFile], entries: Mapping[str, Entry]
) -> Mapping[Split, Sequence[ImageFile]]:
    """Of the files that are not left out. If these are too few, the error says why the others are."""
    left_out = [entry for entry in entries.values() if entry.excluded]
    try:
        return assign([sample for sample in samples if not entries[sample.id].excluded])
    except DataError as error:
        why = "".join(f"\n{len(left_out)} left out, the first, {entry.id}: {entry.excluded}" for entry in left_out[:1])
        raise DataError(f"{error}{why}") from error


def _examine(sample: ImageFile, *, dataset: Dataset, image_size: int) -> tuple[Entry, np.ndarray | None]:
    """A file's entry, not yet in a set, and the pixels (S, S, 3) of its cell, unless it is left out."""
    cv2.setNumThreads(1)  # the pool's are enough
    sha256 = sha256_of(sample.path)
    entry = Entry(sample.id, sample.cell, "", 0, sha256, "")
    try:
        rgb = read_rgb(sample.path, at_least=image_size if dataset.crop == "none" else None)
        return entry, resized(crop(sample, rgb, dataset=dataset), side=image_size)
    except (DataError, NoCell) as error:
        return replace(entry, excluded=str(error)), None


def _parents(spec: DataSpec, members: Sequence[ImageFile]) -> list[int]:
    from wbc_model.preparation.augment import (
        parents,  # albumentations takes seconds to load: not where a cache is only read
    )

    labels = np.array([spec.dataset.classes.index(sample.cell) for sample in members])
    return parents(labels, dataset=spec.dataset, how=spec.augmentation)


def _write_set(path: Path, every: np.ndarray, rows: list[int], chosen: list[int]) -> None:
    """The images of a set, which are some rows of all, and after them the copies of the chosen ones."""
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
