"""The test images that a model got wrong, class by class, the most wrong first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wbc_model.scoring.predictions import Predictions

MOST = 24
"""Images listed of each true class."""
PROBABLE = 3
"""Classes whose probability is listed of each image; the true class is listed in any case."""


@dataclass(frozen=True)
class WrongImage:
    """A test image and what the model made of it."""

    name: str
    called: str
    probabilities: tuple[tuple[str, float], ...]
    """Of the most probable classes and the true one, the most probable first."""


@dataclass(frozen=True)
class TrueClass:
    """The test images of one true class."""

    name: str
    total: int
    wrong: int
    listed: Sequence[WrongImage]
    """At most `MOST` of the wrong ones: those with the lowest probability of the true class, the lowest first."""


def true_classes(predictions: Predictions) -> list[TrueClass]:
    """The classes that some test image is of, in the order of the classes."""
    found = []
    for label, name in enumerate(predictions.classes):
        mine = np.flatnonzero(predictions.truth == label)
        wrong = mine[predictions.called[mine] != label]
        order = wrong[np.argsort(predictions.probabilities[wrong, label], kind="stable")]
        listed = [_image(predictions, i, label) for i in order[:MOST]]
        found += [TrueClass(name, len(mine), len(wrong), listed)] if len(mine) else []
    return found


def _image(predictions: Predictions, i: int, label: int) -> WrongImage:
    classes, probabilities = predictions.classes, predictions.probabilities[i]
    order = np.argsort(-probabilities, kind="stable")
    listed = [j for rank, j in enumerate(order) if rank < PROBABLE or j == label]
    return WrongImage(
        name=str(predictions.ids[i]),
        called=classes[order[0]],
        probabilities=tuple((classes[j], float(probabilities[j])) for j in listed),
    )
