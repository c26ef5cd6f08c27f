"""Augmented copies of the rarer cell types in a training set (Fig. 4). Only this file imports albumentations."""

import os
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_model.choices import Augmentation
from wbc_model.datasets.dataset import Dataset

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its newest version
import albumentations as A  # noqa: E402

AUGMENT = A.Compose(
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


def images_to_copy(labels: NDArray[np.int64], *, dataset: Dataset, how: Augmentation) -> list[int]:
    """Indices of the images to copy, in ascending order, so that every class has as many images as `how` asks for.

    An image that is to be copied several times occurs as often. The copies are spread evenly: within a class, the
    numbers of copies per image differ by one at most.
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
    """Yield a rotated, flipped, shifted and scaled copy (S, S, 3) of each chosen image of `pixels` (N, S, S, 3).

    The n-th copy is drawn with the seed n, so it is the same every time.
    """
    for number, parent in enumerate(chosen):
        AUGMENT.set_random_seed(number)
        yield AUGMENT(image=np.ascontiguousarray(pixels[parent]))["image"]
