"""How a dataset of the paper is drawn for rehearsals, beside its value in `wbc_model/datasets/<name>.py`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from wbc_model.datasets.dataset import Dataset, Part


@dataclass(frozen=True, kw_only=True)
class DrawnAs:
    """The pictures that stand for the published ones."""

    aspect: float
    """Width over height."""
    fill: float
    """A usual white cell's diameter over the height."""
    path: Callable[[Part, str, int], str]
    """Part, class and number (from 0) of an image -> where it lies below the data folder, named as published."""
    enlarged: float = 1
    """How many times the share of the others is drawn of this dataset, because it is small."""


def drawn_as(dataset: Dataset) -> DrawnAs:
    """How a dataset of the paper is drawn; the user's own are not."""
    return import_module(f"{__package__}.{dataset.name}").DRAWN
