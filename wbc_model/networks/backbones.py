"""The trunks of the paper's networks, with ImageNet weights or random ones."""

from typing import Any

import timm
import torch
from timm.models.densenet import DenseNet
from timm.models.inception_v3 import InceptionA
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from wbc_model.choices import Cut, Init, Network, Trunks
from wbc_model.networks.timm_trunk import build_timm_trunk
from wbc_model.networks.trunk import Trunk
from wbc_model.networks.weights import NEWEST, Source, TrunkSpec, find_weights, load
from wbc_model.seeding import torch_seeded


def build_trunk(spec: TrunkSpec, *, init: Init, seed: int, weights: Source = NEWEST) -> Trunk:
    """A trunk with pre-trained or random weights. It has a random stream of its own: the same seed gives the same
    weights, whatever else is built.

    Raises:
        WeightsError: there is no such model of timm, or pre-trained weights are missing or do not fit the network.
    """
    if spec.timm_model:
        return build_timm_trunk(spec, init=init, seed=seed, weights=weights)
    network = Network(spec.architecture)
    with torch_seeded(seed, "trunk", network):
        body = _TINY[network]() if spec.trunks is Trunks.TINY else _full(network)
    if init is Init.IMAGENET:
        load(body, find_weights(spec, weights))
    if spec.cut is Cut.BLOCK3:
        body = _cut(body)
    return Trunk(body, channels=_channels(body))


def _full(network: Network) -> nn.Module:
    if network is Network.JIANG:
        # WBCNet's layer table is not public: 33 convolutions in residual pairs, batch norm, leaky activation.
        return _resnet((3, 4, 6, 3), channels=(64, 128, 256, 512), act_layer=nn.LeakyReLU)
    if network is Network.RESNET50:
        return timm.create_model("resnet50", num_classes=0, global_pool="", zero_init_last=False)  # as torchvision's
    return timm.create_model(network.value, num_classes=0, global_pool="")


def _resnet(
    layers: tuple[int, ...] = (1, 1, 1, 1),
    *,
    channels: tuple[int, ...] = (16, 24, 32, 48),
    act_layer: type[nn.Module] = nn.ReLU,
) -> nn.Module:
    """A residual network of basic blocks; the defaults are those of the tiny trunk."""
    block: Any = BasicBlock  # timm's annotation wrongly asks for an instance
    return ResNet(
        block,
        layers,
        num_classes=0,
        global_pool="",
        channels=channels,
        stem_width=channels[0],
        act_layer=act_layer,
        zero_init_last=False,
    )


class _TinyInception(nn.Module):
    """The tiny Inception: a short stem and one Inception block with its four parallel paths."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.block = InceptionA(32, pool_features=16)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.stem(x))


_TINY = {
    Network.RESNET50: _resnet,
    Network.DENSENET121: lambda: DenseNet(growth_rate=8, block_config=(2, 2, 2, 2), num_classes=0, global_pool=""),
    Network.INCEPTION_V3: _TinyInception,
    Network.JIANG: lambda: _resnet(act_layer=nn.LeakyReLU),
}


def _cut(body: nn.Module) -> nn.Module:
    """The trunk up to its third of four blocks."""
    if isinstance(body, ResNet):
        body.layer4 = nn.Identity()
        return body
    assert isinstance(body, DenseNet)
    layers = dict(body.features.named_children())
    third = list(layers).index("transition3")
    return nn.Sequential(*list(layers.values())[:third], layers["transition3"].get_submodule("norm"))


def _channels(body: nn.Module) -> int:
    with torch.no_grad():
        was_training = body.training
        channels = body.eval()(torch.zeros(1, 3, 96, 96)).shape[1]
        body.train(was_training)
    return channels
