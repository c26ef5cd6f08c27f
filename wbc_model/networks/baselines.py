"""Networks with one trunk: pooling and a linear head (Tables 10-12, E7)."""

from torch import Tensor, nn

from wbc_model.choices import Network, Normalisation
from wbc_model.networks.normalise import Normalise
from wbc_model.networks.trunk import TimmTrunk, Trunk
from wbc_model.seeding import torch_seeded

WITH_DROPOUT = (Network.INCEPTION_V3, Network.SHARMA)
"""Inception v3 has dropout before its classifier as published. Sharma et al. 2022 fine-tune DenseNet121; the paper
lists it beside DenseNet itself with other results, so here it has dropout and plain DenseNet has none."""


class BaselineNet(nn.Module):
    """Images (B, 3, H, W) in [0, 1] to logits (B, classes)."""

    def __init__(self, trunk: Trunk, head: nn.Module, *, normalisation: Normalisation) -> None:
        super().__init__()
        self.normalise, self.trunk, self.head = Normalise(normalisation, trained_on=trunk.statistics), trunk, head

    def features(self, x: Tensor) -> Tensor:
        """The map (B, C, h, w) before pooling, or the tokens (B, N, C) of a transformer without one."""
        return self.trunk(self.normalise(x))

    def classify(self, features: Tensor) -> Tensor:
        """Logits (B, classes) of what `features` gave."""
        return self.head(self.trunk.pool(features) if isinstance(self.trunk, TimmTrunk) else features)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


def build_baseline(network: Network | str, trunk: Trunk, *, normalisation: Normalisation, classes: int,
                   dropout: float, seed: int) -> BaselineNet:  # fmt: skip
    """A network around its trunk. A model of timm keeps timm's regularisation: no dropout, no stochastic depth.

    Args:
        dropout: before the classifier, of the networks in `WITH_DROPOUT`.
    """
    layers: list[nn.Module] = [] if isinstance(trunk, TimmTrunk) else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if network in WITH_DROPOUT:
        layers.append(nn.Dropout(dropout))
    with torch_seeded(seed, "head"):
        layers.append(nn.Linear(trunk.channels, classes))
    return BaselineNet(trunk, nn.Sequential(*layers), normalisation=normalisation)
