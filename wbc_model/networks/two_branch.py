"""The proposed network: two branches -> 1x1 convolutions -> fuse -> attention -> GAP -> FC -> dropout -> FC."""

from functools import partial, reduce

import torch
from torch import Tensor, nn

from wbc_model.choices import Attention, AttentionAt, Fuse, Normalisation, Trunks
from wbc_model.models import TwoBranch
from wbc_model.networks.attention import ATTENTIONS, ParallelAttention
from wbc_model.networks.normalise import Normalise
from wbc_model.networks.trunk import Trunk
from wbc_model.seeding import torch_seeded

WIDTH = {Trunks.FULL: 512, Trunks.TINY: 64}
"""Channels of each branch after its 1x1 convolution ("1 x 1 x 512" in the paper), and of the first FC layer."""


class TwoBranchNet(nn.Module):
    """Images (B, 3, H, W) in [0, 1] to logits (B, classes). Fig. 3 with the choices of docs/paper.md."""

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

    def classify(self, features: Tensor) -> Tensor:
        """Logits (B, classes) of what `features` gave."""
        return self.head(features)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))

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
