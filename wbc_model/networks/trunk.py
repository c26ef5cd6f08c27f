"""Trunks: everything of a network before its classifier."""

from typing import Any

from torch import Tensor, nn

from wbc_model.networks.normalise import IMAGENET, Statistics


class Trunk(nn.Module):
    """Normalised images (B, 3, H, W) to a feature map (B, `channels`, H / 32, W / 32), or / 16 for a cut trunk.

    Args:
        statistics: of the images on which its pre-trained weights were trained.
    """

    def __init__(self, body: nn.Module, *, channels: int, statistics: Statistics = IMAGENET) -> None:
        super().__init__()
        self.body: Any = body
        self.channels, self.statistics = channels, statistics

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class TimmTrunk(Trunk):
    """A model of timm without its classifier, in the two steps in which timm runs it.

    `channels` is the length of what `pool` gives for one image.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) to a map (B, C, h, w), or to tokens (B, N, C) in most transformers."""
        features = self.body.forward_features(x)
        return features.permute(0, 3, 1, 2) if self._channels_last else features

    def pool(self, features: Tensor) -> Tensor:
        """What `forward` gave to (B, `channels`), by the model's own pooling and the layers after it."""
        return self.body.forward_head(features.permute(0, 2, 3, 1) if self._channels_last else features)

    @property
    def _channels_last(self) -> bool:
        return getattr(self.body, "output_fmt", None) == "NHWC"
