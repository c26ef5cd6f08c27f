"""The images of one set, as arrays."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ImageSet:
    """Images of one set: RGB pixels (N, S, S, 3) of type uint8, usually memory-mapped, and class indices (N,)."""

    pixels: np.ndarray
    labels: np.ndarray
    ids: tuple[str, ...]
    """Ids of the images; a copy has the id of its original, `#`, and its number."""
    cells: tuple[str, ...]
    """Class names: `cells[label]`."""

    def __len__(self) -> int:
        return len(self.labels)
