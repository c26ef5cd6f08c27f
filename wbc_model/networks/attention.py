"""Channel and spatial attention (Table 5). Each module maps (B, C, H, W) to the same shape; its first argument is C.

No module has biases or batch norm, as in the equations of the papers.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from wbc_model.choices import Attention, ParallelBy

REDUCTION = 16
"""The hidden layer has C / 16 channels, the default of the papers that proposed SE and CBAM."""


class SqueezeExcite(nn.Module):
    """Weights each channel, from the channels' means (SE, Hu et al. 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = _bottleneck(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mlp(x.mean((2, 3), keepdim=True)).sigmoid()


class EfficientChannelAttention(nn.Module):
    """Weights each channel, by one convolution along the channels' means (ECA, Wang et al. 2020)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        size = int((math.log2(channels) + 1) / 2)  # gamma = 2, b = 1
        size += 1 - size % 2
        self.conv = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean((2, 3)).unsqueeze(1)  # (B, 1, C)
        return x * self.conv(means).sigmoid().transpose(1, 2).unsqueeze(3)


class ChannelAttention(nn.Module):
    """Weights each channel, from the channels' means and maxima (CAM of CBAM, Woo et al. 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = _bottleneck(channels)

    def logits(self, x: Tensor) -> Tensor:
        """The weights before the sigmoid, (B, C, 1, 1)."""
        return self.mlp(x.mean((2, 3), keepdim=True)) + self.mlp(x.amax((2, 3), keepdim=True))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.logits(x).sigmoid()


class SpatialAttention(nn.Module):
    """Weights each pixel, from the mean and the maximum over channels (SAM of CBAM, Woo et al. 2018)."""

    def __init__(self, channels: int) -> None:  # noqa: ARG002 - all modules are constructed the same way
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def logits(self, x: Tensor) -> Tensor:
        """The weights before the sigmoid, (B, 1, H, W)."""
        return self.conv(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.logits(x).sigmoid()


class ParallelAttention(nn.Module):
    """CAM // SAM: both weights come from the input; in CSAM and SCAM the second module sees the first's output."""

    def __init__(self, channels: int, *, by: ParallelBy = ParallelBy.PRODUCT) -> None:
        super().__init__()
        self.channel, self.spatial, self.by = ChannelAttention(channels), SpatialAttention(channels), by

    def forward(self, x: Tensor) -> Tensor:
        channel, spatial = self.channel.logits(x), self.spatial.logits(x)
        if self.by is ParallelBy.LOGIT_SUM:  # as in BAM (Park et al. 2018), by the authors of CBAM
            return x * (channel + spatial).sigmoid()
        if self.by is ParallelBy.FEATURE_SUM:
            return x * channel.sigmoid() + x * spatial.sigmoid()
        return x * channel.sigmoid() * spatial.sigmoid()


def csam(channels: int) -> nn.Module:
    """CAM + SAM: channel first, as in CBAM."""
    return nn.Sequential(ChannelAttention(channels), SpatialAttention(channels))


def scam(channels: int) -> nn.Module:
    """SAM + CAM: spatial first, the paper's choice."""
    return nn.Sequential(SpatialAttention(channels), ChannelAttention(channels))


ATTENTIONS: Mapping[Attention, Callable[[int], nn.Module]] = {
    Attention.NONE: lambda _: nn.Identity(),
    Attention.SE: SqueezeExcite,
    Attention.ECA: EfficientChannelAttention,
    Attention.CHANNEL: ChannelAttention,
    Attention.SPATIAL: SpatialAttention,
    Attention.PARALLEL: ParallelAttention,
    Attention.CSAM: csam,
    Attention.SCAM: scam,
}


def _bottleneck(channels: int) -> nn.Module:
    hidden = channels // REDUCTION
    return nn.Sequential(
        nn.Conv2d(channels, hidden, 1, bias=False), nn.ReLU(), nn.Conv2d(hidden, channels, 1, bias=False)
    )
