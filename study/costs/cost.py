"""What one trial costs, and the knobs that this depends on. No torch, no ray."""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from wbc_model.config import TrialConfig
from wbc_model.models import Baseline

JSON_KEYS = {"epoch_seconds": "epoch", "overhead_seconds": "rest"}
"""Fields of `Cost` that costs.json has under an older name."""


@dataclass(frozen=True)
class Cost:
    """What one trial takes on its share of a machine."""

    epoch_seconds: float
    """One epoch with its validation, while other trials share the GPU."""
    overhead_seconds: float
    """Everything but the epochs: data, weights, test and tracking. A calibration measures it without other trials."""
    memory: float = 0
    """Peak fraction of a GPU's memory; 0 without a GPU."""
    stored: int = 0
    """Bytes kept in storage after it has finished, but for its model."""
    checkpoint: int = 0
    """Bytes of its checkpoint, in storage while it runs."""
    weights: int = 0
    """Bytes of its model, if that is kept."""

    def seconds(self, config: TrialConfig) -> float:
        return self.epoch_seconds * config.epochs + self.overhead_seconds

    def to_json(self) -> dict[str, float]:
        return {JSON_KEYS.get(name, name): value for name, value in asdict(self).items()}


def named(cost: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `Cost` from costs.json, by their names."""
    names = {key: name for name, key in JSON_KEYS.items()}
    weights = {"weights": cost.get("checkpoint", 0) // 4}  # in older files: a checkpoint holds them four times
    return weights | {names.get(key, key): value for key, value in cost.items()}


@cache
def shape(config: TrialConfig) -> str:
    """The knobs that a trial's time and memory depend on, as text; attention and initial weights hardly matter."""
    model = config.model
    if isinstance(model, Baseline):
        network = str(model.network)
    else:
        branches = "+".join(n for n in ("resnet", "densenet") if getattr(model, n) is not None)
        network = f"{branches}-{model.cut}-{model.fuse}{'-frozen' * model.frozen}"
    knobs = ("dataset", "trunks", "images", "image_size", "batch_size", "augmentation", "split", "precision")
    tests = config.test_on if isinstance(config.test_on, str) else "+".join(map(str, config.test_on))
    return " ".join([network, *(f"{getattr(config, knob)}" for knob in knobs), tests])
