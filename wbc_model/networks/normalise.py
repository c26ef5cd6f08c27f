"""Pixels in [0, 1] to what a network's weights expect."""

import torch
from torch import Tensor, nn

from wbc_model.choices import Normalisation

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each RGB channel, of pixels in [0, 1]."""

IMAGENET: Statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
UNIT: Statistics = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NONE: Statistics = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Normalise(nn.Module):
    """Subtracts the mean of RGB images (B, 3, H, W) in [0, 1] and divides by their standard deviation.

    It is affine, so it commutes with mixup.

    Args:
        trained_on: statistics of the images on which the network's weights were trained; for `Normalisation.IMAGENET`.
    """

    def __init__(self, normalisation: Normalisation, *, trained_on: Statistics = IMAGENET) -> None:
        super().__init__()
        statistics = {Normalisation.IMAGENET: trained_on, Normalisation.UNIT: UNIT, Normalisation.NONE: NONE}
        mean, deviation = torch.tensor(statistics[normalisation]).view(2, 1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.deviation
