"""The five compared networks (Tables 10-12): a trunk, global average pooling and a linear head."""

import torch
from torch import Tensor, nn

from wbc_model.backbones import Trunk
from wbc_model.choices import Network, Normalisation
from wbc_model.seeding import torch_seeded

WITH_DROPOUT = (Network.INCEPTION_V3, Network.SHARMA)
"""Inception v3 has dropout before its classifier as published. Sharma et al. 2022 use DenseNet121 by transfer; the
paper lists it beside DenseNet itself with other results, so here it has the dropout that plain DenseNet has not."""

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


class BaselineNet(nn.Module):
    """Images (B, 3, H, W) in [0, 1] to logits (B, classes)."""

    def __init__(self, trunk: Trunk, head: nn.Module, *, normalisation: Normalisation) -> None:
        super().__init__()
        self.normalise, self.trunk, self.head = Normalise(normalisation), trunk, head

    def features(self, x: Tensor) -> Tensor:
        """The map (B, C, h, w) that enters the head."""
        return self.trunk(self.normalise(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def build_baseline(network: Network, trunk: Trunk, *, normalisation: Normalisation, classes: int, dropout: float,
                   seed: int) -> BaselineNet:  # fmt: skip
    """A compared network around its trunk."""
    layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if network in WITH_DROPOUT:
        layers.append(nn.Dropout(dropout))
    with torch_seeded(seed, "head"):
        layers.append(nn.Linear(trunk.channels, classes))
    return BaselineNet(trunk, nn.Sequential(*layers), normalisation=normalisation)
