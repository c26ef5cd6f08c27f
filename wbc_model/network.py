"""The proposed network: two branches -> 1x1 convolutions -> fuse -> attention -> GAP -> FC -> dropout -> FC."""

from functools import partial, reduce
from pathlib import Path

import torch
from torch import Tensor, nn

from wbc_model.attention import ATTENTIONS, ParallelAttention
from wbc_model.backbones import Trunk, build_trunk
from wbc_model.baselines import BaselineNet, Normalise, build_baseline
from wbc_model.choices import Attention, AttentionAt, Fuse, Init, Network, Normalisation, Trunks
from wbc_model.config import Baseline, TrialConfig, TwoBranch
from wbc_model.seeding import torch_seeded
from wbc_model.weights import TrunkSpec

WIDTH = {Trunks.FULL: 512, Trunks.TINY: 64}
"""Channels of each branch after its 1x1 convolution ("1 x 1 x 512" in the paper), and of the first FC layer."""


class TwoBranchNet(nn.Module):
    """Images (B, 3, H, W) in [0, 1] to logits (B, classes). Fig. 3, as far as the text tells it."""

    def __init__(self, branches: dict[str, Trunk], *, model: TwoBranch, normalisation: Normalisation,
                 width: int, classes: int, dropout: float, seed: int) -> None:  # fmt: skip
        super().__init__()
        self.frozen, self.attention_at, self.fuse = model.frozen, model.attention_at, model.fuse
        self.normalise = Normalise(normalisation)
        self.branches = nn.ModuleDict(branches)
        self.project = nn.ModuleDict()
        for name, trunk in branches.items():
            with torch_seeded(seed, "project", name):
                self.project[name] = nn.Conv2d(trunk.channels, width, 1)
        fused = width * len(branches) if model.fuse is Fuse.CONCAT else width
        with torch_seeded(seed, "attention"):
            make = partial(_attention, model)
            per_branch = model.attention_at is AttentionAt.EACH_BRANCH
            self.attention = nn.ModuleDict({n: make(width) for n in branches}) if per_branch else make(fused)
        with torch_seeded(seed, "head"):
            self.head = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(fused, width), nn.ReLU(),
                nn.Dropout(dropout), nn.Linear(width, classes),
            )  # fmt: skip
        self.branches.requires_grad_(not self.frozen)

    def features(self, x: Tensor) -> Tensor:
        """The attended map (B, C, h, w) that enters the head."""
        x = self.normalise(x)
        maps = {name: self.project[name](trunk(x)) for name, trunk in self.branches.items()}
        if isinstance(self.attention, nn.ModuleDict):
            return self._fuse([self.attention[name](branch) for name, branch in maps.items()])
        return self.attention(self._fuse(list(maps.values())))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def _fuse(self, maps: list[Tensor]) -> Tensor:
        return torch.cat(maps, dim=1) if self.fuse is Fuse.CONCAT else reduce(torch.add, maps)

    def train(self, mode: bool = True) -> "TwoBranchNet":  # noqa: FBT001, FBT002 - torch's signature
        super().train(mode)
        if self.frozen:
            self.branches.eval()
        return self


def _attention(model: TwoBranch, channels: int) -> nn.Module:
    if model.attention is Attention.PARALLEL:
        return ParallelAttention(channels, by=model.parallel_by)
    return ATTENTIONS[model.attention](channels)


def trunks_of(config: TrialConfig) -> dict[str, tuple[TrunkSpec, Init]]:
    """The trunks a config's network is made of, and the weights each starts from."""
    model = config.model
    if isinstance(model, Baseline):
        return {model.network.value: (TrunkSpec(model.network, config.trunks), model.init)}
    branches = {Network.RESNET50: model.resnet, Network.DENSENET121: model.densenet}
    return {
        network.value: (TrunkSpec(network, config.trunks, model.cut), init)
        for network, init in branches.items()
        if init is not None
    }


def build(config: TrialConfig, *, seed: int, weights: Path | None = None) -> TwoBranchNet | BaselineNet:
    """The network of a config. Every part has its own random stream: variants differ in nothing but what they vary.

    Args:
        weights: folder of ImageNet weights; None fetches them from timm's hub.

    Raises:
        WeightsError: ImageNet weights are asked for and missing.
    """
    trunks = {
        name: build_trunk(spec, init=init, seed=seed, weights=weights)
        for name, (spec, init) in trunks_of(config).items()
    }
    classes = len(config.dataset.cells)
    if isinstance(config.model, Baseline):
        (trunk,) = trunks.values()
        return build_baseline(config.model.network, trunk, normalisation=config.normalisation, classes=classes,
                              dropout=config.dropout, seed=seed)  # fmt: skip
    return TwoBranchNet(trunks, model=config.model, normalisation=config.normalisation,
                        width=WIDTH[config.trunks], classes=classes, dropout=config.dropout, seed=seed)  # fmt: skip
