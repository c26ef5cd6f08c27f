"""Any model of timm as a trunk, and a miniature of its family for rehearsals."""

from pickle import UnpicklingError
from textwrap import shorten
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from torch import nn

from wbc_model.choices import Init, Trunks
from wbc_model.networks.timm_registry import WeightsError, configuration, family
from wbc_model.networks.trunk import TimmTrunk
from wbc_model.networks.weights import NEWEST, Source, TrunkSpec, Weights, find_weights, load, read
from wbc_model.seeding import torch_seeded

MINIATURES: dict[str, tuple[str, dict[str, Any]]] = {
    "mobilenetv3": ("mobilenetv3_small_050", {}),
    "swin_transformer": (
        "swin_tiny_patch4_window7_224",
        {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 2, 2, 4), "window_size": 4},
    ),
}
"""A small model of a family, where timm has no `test_...` model of it."""


REFUSALS = (AssertionError, EOFError, LookupError, OSError, RuntimeError, SafetensorError, TypeError, UnpicklingError,
            ValueError)  # fmt: skip
"""What timm's models raise for an image size or a file that does not suit them, often without a message."""


def build_timm_trunk(spec: TrunkSpec, *, init: Init, seed: int, weights: Source = NEWEST) -> TimmTrunk:
    """A model of timm for images of `spec.image_size` pixels, with pre-trained or random weights.

    A miniature (`trunks=tiny`) is timm's first `test_...` model of the same family, or one of `MINIATURES`; a model of
    any other family is rehearsed by `test_resnet`.

    Raises:
        WeightsError: timm has no such model, it does not take images of that size, or its weights are missing or do
            not fit.
    """
    statistics = configuration(spec.timm_model)
    file = find_weights(spec, weights) if init is Init.IMAGENET else None
    try:
        with torch_seeded(seed, "trunk", spec.architecture):
            body = _miniature(spec) if spec.trunks is Trunks.TINY else _full(spec, file)
        channels = _channels(body, spec.image_size)
    except REFUSALS as error:
        if file is not None:
            read(file.path)  # which tells what is wrong, if it is the file
        raise WeightsError(
            f"timm's {spec.timm_model} cannot be built for images of {spec.image_size} pixels"
            f"{f' from {file.path}' if file else ''}: {shorten(str(error), 300) or type(error).__name__}"
        ) from error
    if file is not None and spec.trunks is Trunks.TINY:
        load(body, file)
    return TimmTrunk(body, channels=channels, statistics=(statistics.mean, statistics.std))


def _full(spec: TrunkSpec, file: Weights | None) -> nn.Module:
    """timm loads the file, because it knows its format and adapts position embeddings to the image size."""
    if file is None:
        return _create(spec.timm_model, spec.image_size)
    overlay = {"file": str(file.path), "custom_load": False}
    return _create(spec.timm_model, spec.image_size, pretrained=True, pretrained_cfg_overlay=overlay)


def _miniature(spec: TrunkSpec) -> nn.Module:
    kind = family(spec.timm_model)
    tests = timm.list_models("test_*", module=kind)
    name, arguments = MINIATURES.get(kind, (tests[0] if tests else "test_resnet", {}))
    return _create(name, spec.image_size, **arguments)


def _create(name: str, image_size: int, **arguments: Any) -> nn.Module:
    """The classifier is removed after loading, so that a file that lacks any other tensor is refused."""
    if timm.get_pretrained_cfg_value(name, "fixed_input_size"):
        arguments["img_size"] = image_size
    body: Any = timm.create_model(name, **arguments)
    body.reset_classifier(0)
    return body


def _channels(body: nn.Module, image_size: int) -> int:
    """Of what it pools one blank image to; running it also shows that it takes images of this size."""
    was_training = body.training
    body.eval()
    with torch.no_grad():
        pooled = body(torch.zeros(1, 3, image_size, image_size))
    body.train(was_training)
    return pooled.shape[1]
