"""The convolutional trunks, with ImageNet weights or random ones. The only file that imports timm."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.utils import logging as hub_logging
from safetensors.torch import load_file
from timm.models.densenet import DenseNet
from timm.models.inception_v3 import InceptionA
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from wbc_model.choices import Cut, Init, Network, Trunks
from wbc_model.seeding import torch_seeded

HUB_FILE = "model.safetensors"
TORCHVISION = "timm/{name}.tv_in1k"
"""torchvision's ImageNet-1k weights as timm's hub keeps them."""

ARCHITECTURE = {Network.SHARMA: Network.DENSENET121}
"""Networks that use another's trunk, and so its weights."""


class WeightsError(ValueError):
    """ImageNet weights that were asked for and cannot be had, or do not fit. The message is for the user."""


@dataclass(frozen=True)
class Weights:
    """One file of trained weights and where it came from."""

    path: Path
    origin: str

    @property
    def sha256(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class TrunkSpec:
    """Everything about a trunk but its random seed."""

    network: Network
    trunks: Trunks = Trunks.FULL
    cut: Cut = Cut.FULL

    @property
    def file_stem(self) -> str:
        """How its weight file is named, before the suffix."""
        name = ARCHITECTURE.get(self.network, self.network)
        return name if self.trunks is Trunks.FULL else f"{self.trunks}_{name}"


def find_weights(spec: TrunkSpec, folder: Path | None) -> Weights:
    """A trunk's ImageNet weights: `folder/<name>*.safetensors` (or .pth, .pt) where a folder is given, else timm's hub.

    Raises:
        WeightsError: no such file, several, or no connection to the hub. There is no fall-back to random weights.
    """
    if folder is None:
        return _from_hub(spec)
    found = [f for suffix in ("safetensors", "pth", "pt") for f in sorted(folder.glob(f"{spec.file_stem}*.{suffix}"))]
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise WeightsError(f"wanted one file {spec.file_stem}.safetensors (or .pth, .pt) in {folder}, found: {names}")
    return Weights(found[0], origin=f"file {found[0].name}")


def _from_hub(spec: TrunkSpec) -> Weights:
    hub_logging.set_verbosity_error()  # its retries would be told one by one
    repository = TORCHVISION.format(name=spec.file_stem)
    try:
        return Weights(Path(hf_hub_download(repository, HUB_FILE)), origin=f"hub {repository}")
    except Exception as error:  # the hub's client raises a dozen kinds, of several libraries
        raise WeightsError(
            f"ImageNet weights of {spec.file_stem} could not be fetched from the hub ({repository}: "
            f"{type(error).__name__}); give a folder that holds {spec.file_stem}.safetensors with --weights DIR"
        ) from error


class Trunk(nn.Module):
    """Images (B, 3, H, W), normalised, to a feature map (B, `channels`, H / 32, W / 32), or / 16 for a cut one."""

    def __init__(self, body: nn.Module, *, channels: int) -> None:
        super().__init__()
        self.body, self.channels = body, channels

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def build_trunk(spec: TrunkSpec, *, init: Init, seed: int, weights: Path | None = None) -> Trunk:
    """A trunk on its own random stream: the same seed gives the same weights whatever is built beside it.

    Raises:
        WeightsError: ImageNet weights are asked for and missing, or do not fit the network.
    """
    architecture = ARCHITECTURE.get(spec.network, spec.network)
    with torch_seeded(seed, "trunk", architecture):
        body = _TINY[architecture]() if spec.trunks is Trunks.TINY else _full(architecture)
    if init is Init.IMAGENET:
        load(body, find_weights(spec, weights))
    if spec.cut is Cut.BLOCK3:
        body = _cut(body)
    return Trunk(body, channels=_channels(body))


def load(body: nn.Module, weights: Weights) -> None:
    """Load a whole network's file into a trunk; the file's classifier is left out.

    Raises:
        WeightsError: a missing or misshapen tensor.
    """
    state = (
        load_file(weights.path)
        if weights.path.suffix == ".safetensors"
        else torch.load(weights.path, map_location="cpu")
    )
    state = {_modern(key): value for key, value in state.items()}
    own = body.state_dict()
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    misshapen = [key for key in own if key in state and state[key].shape != own[key].shape]
    if missing or misshapen:
        raise WeightsError(
            f"{weights.path} does not fit: {len(missing)} tensors missing, {len(misshapen)} misshapen "
            f"({', '.join((missing + misshapen)[:3])})"
        )
    body.load_state_dict({key: state.get(key, value) for key, value in own.items()})


def _modern(key: str) -> str:
    """torchvision's oldest DenseNet files write `norm.1` for `norm1`."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", key)


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
    """A residual network of basic blocks; a tiny one unless told otherwise."""
    block: Any = BasicBlock  # timm's annotation asks for an instance
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
    """A short stem and one Inception block with its four parallel paths."""

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
    """End after the third of four blocks."""
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
