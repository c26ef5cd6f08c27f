"""Pre-trained weights: which file, from where, and into which trunk."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.utils import logging as hub_logging
from safetensors.torch import load_file
from torch import nn
from torchvision.models import DenseNet121_Weights, Inception_V3_Weights, ResNet50_Weights

from wbc_model.choices import TIMM_NAME, Cut, Network, Trunks
from wbc_model.files import sha256_of
from wbc_model.networks.timm_registry import WeightsError, configuration

HUB_FILE = "model.safetensors"
TORCHVISION = "timm/{name}.tv_in1k"
"""The repository on the hub in which timm keeps torchvision's ImageNet-1k weights of a network."""

PUBLISHED = {
    Network.RESNET50: ResNet50_Weights.IMAGENET1K_V1,
    Network.DENSENET121: DenseNet121_Weights.IMAGENET1K_V1,
    Network.INCEPTION_V3: Inception_V3_Weights.IMAGENET1K_V1,
}

ARCHITECTURE = {Network.SHARMA: Network.DENSENET121}
"""Networks that use the trunk, and so the weights, of another."""


@dataclass(frozen=True)
class Hub:
    """The Hugging Face hub, where timm publishes weights."""

    revisions: Mapping[str, str] = field(default_factory=dict)
    """The commit to use of each repository; the newest of those that are not named."""


NEWEST = Hub()
Source = Path | Hub
"""Where weights come from: a folder of files, or the hub."""


@dataclass(frozen=True)
class TrunkSpec:
    """Everything that determines a trunk, except its random seed."""

    network: Network | str
    trunks: Trunks = Trunks.FULL
    cut: Cut = Cut.FULL
    image_size: int = 224
    """Pixels; some models of timm are built for one input size."""

    @property
    def timm_model(self) -> str:
        """`NAME.TAG` of a model of timm; empty for the paper's networks."""
        match = TIMM_NAME.fullmatch(self.network)
        return match["model"] if match else ""

    @property
    def architecture(self) -> str:
        """The network whose trunk, and so whose weights, it is."""
        return self.timm_model or ARCHITECTURE.get(Network(self.network), self.network)

    @property
    def file_stem(self) -> str:
        """The name of its weight file, without the suffix."""
        return self.architecture if self.trunks is Trunks.FULL else f"{self.trunks}_{self.architecture}"

    @property
    def repository(self) -> str:
        """Its repository on the hub; empty where timm names none.

        Raises:
            WeightsError: timm has no such model.
        """
        if self.timm_model:
            return configuration(self.timm_model).hf_hub_id or ""
        return TORCHVISION.format(name=self.file_stem)

    @property
    def revision(self) -> str:
        """The commit of that repository that its name asks for; empty if it asks for none."""
        match = TIMM_NAME.fullmatch(self.network)
        return (match["revision"] or "") if match else ""


@dataclass(frozen=True)
class Weights:
    """One file of trained weights of a trunk."""

    path: Path
    spec: TrunkSpec
    revision: str = ""
    """The commit of its repository on the hub, if it was fetched from there."""

    @cached_property
    def sha256(self) -> str:
        return sha256_of(self.path)

    @property
    def origin(self) -> str:
        """Where the file is from. torchvision's own files are recognised: their names end in digits of their hash."""
        if self.revision:
            return f"hub {self.spec.repository} at {self.revision}"
        published = None if self.spec.timm_model else PUBLISHED.get(Network(self.spec.architecture))
        if self.spec.trunks is Trunks.TINY or published is None:
            return f"file {self.path.name}"
        if self.sha256.startswith(Path(published.url).stem.rpartition("-")[2]):
            return f"torchvision {published}, file {self.path.name}"
        return f"file {self.path.name}, not torchvision's {published}"


def find_weights(spec: TrunkSpec, source: Source) -> Weights:
    """The file of a trunk's pre-trained weights.

    In a folder it is `<stem>.safetensors` (or .pth, .pt), where the stem may be followed by `-` and anything, as in
    `resnet50-0676ba61.pth`. The stem is `resnet50`, or `convnext_tiny.fb_in1k` for a model of timm.

    Raises:
        WeightsError: no such file, several of them, or none on the hub. Random weights never take their place.
    """
    if isinstance(source, Hub):
        return _from_hub(spec, source)
    suffixes = ("safetensors", "pth", "pt")
    found = [f for s in suffixes for end in ("", "-*") for f in sorted(source.glob(f"{spec.file_stem}{end}.{s}"))]
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise WeightsError(f"expected one file {spec.file_stem}.safetensors (or .pth, .pt) in {source}, found: {names}")
    return Weights(found[0], spec)


def _from_hub(spec: TrunkSpec, hub: Hub) -> Weights:
    hub_logging.set_verbosity_error()  # otherwise each of its retries is reported
    repository = spec.repository
    if not repository:
        raise WeightsError(f"timm names no repository on the hub with weights of {spec.timm_model}; use init=random, "
                           f"or give a folder that holds {spec.file_stem}.safetensors with --weights DIR")  # fmt: skip
    revision = spec.revision or hub.revisions.get(repository)
    try:
        file = Path(hf_hub_download(repository, HUB_FILE, revision=revision))
    except Exception as error:  # the hub's client raises a dozen kinds, of several libraries
        raise WeightsError(
            f"the pre-trained weights of {spec.file_stem} could not be fetched from the hub ({repository}"
            f"{f' at {revision}' if revision else ''}: {type(error).__name__}); give a folder that holds "
            f"{spec.file_stem}.safetensors with --weights DIR"
        ) from error
    return Weights(file, spec, revision=file.parent.name)  # .../snapshots/<commit>/model.safetensors


def load(body: nn.Module, weights: Weights) -> None:
    """Load the file of a whole network into a trunk; the file's classifier is not used.

    Raises:
        WeightsError: the file is damaged, or a tensor is missing or has another shape.
    """
    state = {_modern(key): value for key, value in read(weights.path).items()}
    own = body.state_dict()
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    misshapen = [key for key in own if key in state and state[key].shape != own[key].shape]
    if missing or misshapen:
        raise WeightsError(
            f"{weights.path} does not fit: {len(missing)} tensors missing, {len(misshapen)} misshapen "
            f"({', '.join((missing + misshapen)[:3])})"
        )
    body.load_state_dict({key: state.get(key, value) for key, value in own.items()})


def read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file.

    Raises:
        WeightsError: it is cut off, or holds something else, such as a web page or a pointer of Git LFS.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is no file, or a link without content: fetch the file")
    try:
        tensors = path.suffix == ".safetensors"
        state = load_file(path) if tensors else torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise TypeError("it holds no tensors by name")
        return state
    except Exception as error:  # safetensors, zipfile, pickle and torch each raise their own
        with path.open("rb") as file:
            begins = file.read(40)
        raise WeightsError(
            f"{path} is damaged, or no file of weights: it has {path.stat().st_size} bytes and begins with {begins!r} "
            f"({type(error).__name__}). "
            "Download it again"
        ) from error


def _modern(key: str) -> str:
    """torchvision's oldest DenseNet files write `norm.1` for `norm1`."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", key)
