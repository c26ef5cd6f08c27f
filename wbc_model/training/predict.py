"""A model and images -> class probabilities and their confusion matrix."""

import numpy as np
import torch
from torch import Tensor, nn

from wbc_model.metrics import ConfusionMatrix
from wbc_model.preparation.image_set import ImageSet
from wbc_model.training.device import to_device

BATCH = {"cpu": 64, "cuda": 128}
"""Images at a time in evaluation. Batch norm uses its running statistics, so results depend on it in rounding alone."""


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 RGB (B, S, S, 3) to float (B, 3, S, S) in [0, 1]."""
    return pixels.permute(0, 3, 1, 2).contiguous().float().div_(255)


def to_input(pixels: np.ndarray, device: torch.device | str) -> Tensor:
    """`to_unit` on the device, to which bytes travel."""
    return to_unit(to_device(torch.from_numpy(np.array(pixels)), device))


@torch.no_grad()
def predict(model: nn.Module, images: ImageSet, *, device: torch.device | str = "cpu") -> np.ndarray:
    """Class probabilities (N, classes), float32, in the order of the images. The model's mode is put back."""
    was_training = model.training
    model.eval()
    size = BATCH[torch.device(device).type]
    starts = range(0, len(images), size)
    logits = [model(to_input(images.pixels[start : start + size], device)) for start in starts]
    model.train(was_training)
    return torch.cat(logits).softmax(1).cpu().numpy()


def confusion(probabilities: np.ndarray, images: ImageSet) -> ConfusionMatrix:
    """The most probable class of each image against the truth."""
    return ConfusionMatrix.from_predictions(
        images.cells, truth=images.labels.tolist(), predicted=probabilities.argmax(1).tolist()
    )
