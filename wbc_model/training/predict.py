"""What a model predicts for images."""

import numpy as np
import torch
from torch import Tensor, nn

from wbc_model.preparation.image_set import ImageSet
from wbc_model.scoring.predictions import Predictions
from wbc_model.training.device import to_device

BATCH = {"cpu": 64, "cuda": 128}
"""Evaluation batch sizes by device. Batch norm uses its running statistics, so they affect only rounding."""


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 RGB (B, S, S, 3) to float (B, 3, S, S) in [0, 1]."""
    return pixels.permute(0, 3, 1, 2).contiguous().float().div_(255)


def to_input(pixels: np.ndarray, device: torch.device | str) -> Tensor:
    """Images as `to_unit` gives them, on the device; they are sent there as bytes."""
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


def predict_known(
    model: nn.Module, images: ImageSet, *, classes: tuple[str, ...], device: torch.device | str = "cpu"
) -> Predictions:
    """Predictions for those images whose true class is one of the model's: it cannot be right about any other.

    Args:
        classes: the model's, in the order of its outputs.
    """
    probabilities = predict(model, images, device=device)
    truth = np.array([classes.index(cell) if cell in classes else -1 for cell in images.cells])[images.labels]
    known = truth >= 0
    return Predictions(
        classes=classes, ids=np.array(images.ids)[known], truth=truth[known], probabilities=probabilities[known]
    )
