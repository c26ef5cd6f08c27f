"""A trained model as one file: safetensors, whose metadata holds everything that is needed to use it. Loads torch."""

from dataclasses import dataclass

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from wbc_model.errors import InputError
from wbc_model.inference.model_info import KEY, ModelInfo, info_json, read_info
from wbc_model.networks.build import build


@dataclass(frozen=True)
class SavedModel:
    """A network and what is known about it."""

    network: nn.Module
    """In evaluation mode, on the CPU: images (B, 3, S, S) in [0, 1] to logits (B, classes)."""
    info: ModelInfo


def to_bytes(network: nn.Module, info: ModelInfo) -> bytes:
    """The content of a model file."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    return save(tensors, {KEY: info_json(info)})


def from_bytes(content: bytes, *, where: str) -> SavedModel:
    """The model in a file; no code that the file holds is run.

    Args:
        where: the file, for messages.

    Raises:
        InputError: the file is damaged, no model of this program, or of a newer version of it.
    """
    info = read_info(content, where=where)
    network = build(info.config, seed=info.seed, weights=None)
    try:
        network.load_state_dict(load(content))
    except (RuntimeError, SafetensorError) as error:
        raise InputError(f"{where}: its weights do not fit the network that it names: {error}") from error
    return SavedModel(network.eval(), info)
