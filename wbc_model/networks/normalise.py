"""New."""

import torch
from torch import Tensor, nn

from wbc_model.choices import Normalisation

STATISTICS = {
    Normalisation.IMAGENET: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    Normalisation.UNIT: ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    Normalisation.NONE: ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Per-channel mean and deviation of RGB in [0, 1]."""


class Normalise(nn.Module):
    """RGB in [0, 1] to what the trunks are used to. Affine, so it commutes with mixup."""

    def __init__(self, normalisation: Normalisation) -> None:
        super().__init__()
        mean, deviation = torch.tensor(STATISTICS[normalisation]).view(2, 1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.deviation
