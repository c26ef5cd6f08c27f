"""The five compared networks (Tables 10-12): a trunk, global average pooling and a linear head."""

from torch import Tensor, nn

from wbc_model.choices import Network, Normalisation
from wbc_model.networks.backbones import Trunk
from wbc_model.networks.normalise import Normalise
from wbc_model.seeding import torch_seeded

WITH_DROPOUT = (Network.INCEPTION_V3, Network.SHARMA)
"""Inception v3 has dropout before its classifier as published. Sharma et al. 2022 use DenseNet121 by transfer; the
paper lists it beside DenseNet itself with other results, so here it has the dropout that plain DenseNet has not."""


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
