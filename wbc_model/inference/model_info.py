"""What is known about a trained model but its weights: the metadata of its file. Loads no torch."""

import json
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass
from safetensors import SafetensorError, deserialize

from wbc_model.config import TrialConfig
from wbc_model.errors import InputError, validating

FILE = "model.safetensors"
"""Its name in a trial's folder."""
CARD = "model-card.md"
"""The name of the model card beside it."""
FORMAT = 1
KEY = "wbc_model"
"""Of the one entry of the file's metadata that is ours: a `ModelInfo` as JSON."""

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Calibration:
    """What was fitted on the validation images."""

    temperature: Annotated[float, Field(gt=0)]
    """The logits are divided by it before the softmax (Guo et al. 2017)."""
    threshold: Annotated[float, Field(ge=0, le=1)]
    """A call whose calibrated probability is lower is "unsure"."""
    error_before: float | None = None
    """Expected calibration error of the validation images with the plain softmax (T = 1); None: not measured."""
    error_after: float | None = None
    """... with the temperature."""
    unsure: float | None = None
    """Fraction of the validation images whose calls are "unsure"; None: not measured."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class ModelInfo:
    """Everything about a trained model but its weights."""

    config: TrialConfig
    """Holds its classes, normalisation, input size and how cells are cropped."""
    seed: int
    trial: str
    """The trial's id."""
    best_epoch: int
    """The epoch of its weights, counted from 0."""
    validation: float
    """Accuracy on the validation images, a fraction."""
    calibration: Calibration
    provenance: dict[str, Any]
    """As in the trial's record, but for peaks: fingerprint of the images, pre-trained weights, code and machine."""
    format: int = FORMAT


_INFO: TypeAdapter[ModelInfo] = TypeAdapter(ModelInfo)


def info_json(info: ModelInfo) -> str:
    """What is known about a model, as JSON."""
    return json.dumps(_INFO.dump_python(info, mode="json"), sort_keys=True)


def read_info(content: bytes, *, where: str) -> ModelInfo:
    """The information in a model file, without its weights.

    Args:
        where: the file, for messages.

    Raises:
        InputError: the file is damaged, no model of this program, or of a newer version of it.
    """
    try:
        deserialize(content)
    except SafetensorError as error:
        raise InputError(f"{where}: no whole safetensors file ({error}); wanted the {FILE} of a trial") from error
    size = int.from_bytes(content[:8], "little")
    held = json.loads(content[8 : 8 + size]).get("__metadata__", {}).get(KEY)
    if held is None:
        raise InputError(
            f"{where}: a safetensors file, but not of a model of this program; wanted the {FILE} of a trial"
        )
    try:
        value = json.loads(held)
        version = value["format"]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{where}: its metadata is damaged: {held[:40]!r}") from error
    if version != FORMAT:
        raise InputError(f"{where}: a model file of format {version}; this version reads {FORMAT}")
    with validating(where):
        return _INFO.validate_python(value)
