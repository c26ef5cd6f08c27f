"""ImageNet weights: which file, where from, and into which trunk."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.utils import logging as hub_logging
from safetensors.torch import load_file
from torch import nn
from torchvision.models import DenseNet121_Weights, Inception_V3_Weights, ResNet50_Weights

from wbc_model.choices import Cut, Network, Trunks
from wbc_model.errors import InputError
from wbc_model.files import sha256_of

HUB_FILE = "model.safetensors"
TORCHVISION = "timm/{name}.tv_in1k"
"""torchvision's ImageNet-1k weights as timm's hub keeps them."""

PUBLISHED = {
    Network.RESNET50: ResNet50_Weights.IMAGENET1K_V1,
    Network.DENSENET121: DenseNet121_Weights.IMAGENET1K_V1,
    Network.INCEPTION_V3: Inception_V3_Weights.IMAGENET1K_V1,
}

ARCHITECTURE = {Network.SHARMA: Network.DENSENET121}
"""Networks that use another's trunk, and so its weights."""


class WeightsError(InputError):
    """ImageNet weights that were asked for and cannot be had, or do not fit. The message is for the user."""


@dataclass(frozen=True)
class TrunkSpec:
    """Everything about a trunk but its random seed."""

    network: Network
    trunks: Trunks = Trunks.FULL
    cut: Cut = Cut.FULL

    @property
    def architecture(self) -> Network:
        """The network whose trunk, and so whose weights, it is."""
        return ARCHITECTURE.get(self.network, self.network)

    @property
    def file_stem(self) -> str:
        """How its weight file is named, before the suffix."""
        return self.architecture if self.trunks is Trunks.FULL else f"{self.trunks}_{self.architecture}"


@dataclass(frozen=True)
class Weights:
    """One file of trained weights of a trunk."""

    path: Path
    spec: TrunkSpec
    hub: str = ""
    """Repository and revision on timm's hub, where it came from there."""

    @cached_property
    def sha256(self) -> str:
        return sha256_of(self.path)

    @property
    def origin(self) -> str:
        """Where it is from; of a file, whether torchvision's own: their names end in the first digits of its hash."""
        published = PUBLISHED.get(self.spec.architecture)
        if self.hub:
            return f"hub {self.hub}"
        if self.spec.trunks is Trunks.TINY or published is None:
            return f"file {self.path.name}"
        if self.sha256.startswith(Path(published.url).stem.rpartition("-")[2]):
            return f"torchvision {published}, file {self.path.name}"
        return f"file {self.path.name}, not torchvision's {published}"


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
    return Weights(found[0], spec)


def _from_hub(spec: TrunkSpec) -> Weights:
    hub_logging.set_verbosity_error()  # its retries would be told one by one
    repository = TORCHVISION.format(name=spec.file_stem)
    try:
        file = Path(hf_hub_download(repository, HUB_FILE))
        return Weights(file, spec, hub=f"{repository} at {file.parent.name}")
    except Exception as error:  # the hub's client raises a dozen kinds, of several libraries
        raise WeightsError(
            f"ImageNet weights of {spec.file_stem} could not be fetched from the hub ({repository}: "
            f"{type(error).__name__}); give a folder that holds {spec.file_stem}.safetensors with --weights DIR"
        ) from error


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
