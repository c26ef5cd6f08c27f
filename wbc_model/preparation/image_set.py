"""The images of one set, as arrays."""

from dataclasses import dataclass

import numpy as np


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
