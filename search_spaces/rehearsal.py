"""The knobs that a rehearsal, the whole study in miniature, sets in every row."""

from typing import Any

from wbc_model.choices import Augmentation, ImageSource, Trunks

REHEARSAL: dict[str, Any] = {
    "trunks": Trunks.TINY.value,
    "images": ImageSource.DRAWN.value,
    "augmentation": Augmentation.LARGEST.value,
    "image_size": 64,
    "epochs": 6,
    "lr": 3e-3,
}
"""Tiny networks learn from a few hundred drawn cells in seconds; the paper's learning rate would need 100 epochs."""
