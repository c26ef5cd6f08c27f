"""Copies for the rarer cell types of a training set (Fig. 4). The only file that imports albumentations."""

import os
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_model.choices import Augmentation
from wbc_model.datasets.dataset import Dataset

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its newest version
import albumentations as A  # noqa: E402

SHAKE = A.Compose(
    [
        A.HorizontalFlip(p=0.5),
        A.VerticalFlip(p=0.5),
        A.Affine(
            rotate=(-180, 180),
            translate_percent=(-0.08, 0.08),
            scale=(0.9, 1.1),
            border_mode=cv2.BORDER_REFLECT_101,
            p=1.0,
        ),
    ]
)


def parents(labels: NDArray[np.int64], *, dataset: Dataset, how: Augmentation) -> list[int]:
    """Indices, ascending, of the images to make copies of, so that every class has as many images as `how` says.

    Copies are spread evenly: no image has two more than another of its class.
    """
    wanted = dataset.copies if how is Augmentation.PAPER else str(how)
    if wanted == "none":
        return []
    target = max(int(np.bincount(labels).max()), wanted if isinstance(wanted, int) else 0)
    chosen: list[int] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        chosen += np.resize(members, target - len(members)).tolist()
    return sorted(chosen)


def copies(pixels: NDArray[np.uint8], chosen: list[int]) -> Iterator[NDArray[np.uint8]]:
    """Turned, flipped, shifted and scaled copies of images (N, S, S, 3), each drawn from a stream of its own."""
    for number, parent in enumerate(chosen):
        SHAKE.set_random_seed(number)
        yield SHAKE(image=np.ascontiguousarray(pixels[parent]))["image"]
