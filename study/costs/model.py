"""What trials cost, learned from finished trials or a short calibration and kept in storage. No torch, no ray."""

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from study.plan import Trial
from study.storage import Storage
from wbc_model.config import TrialConfig
from wbc_model.errors import Damaged, decoding
from wbc_model.files import sealed, unsealed
from wbc_model.models import Baseline

FILE = "costs.json"
FILL = 0.9
"""Fraction of a GPU's memory that concurrent trials may fill together."""
COUNTS_TO_MEASURE = (1, 2, 3, 4, 6, 8, 12, 16)
"""Numbers of concurrent trials that a GPU may be measured with."""
GAIN = 1.05
"""A larger number of concurrent trials is worthwhile if it raises the total rate by at least this factor."""
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


@dataclass(frozen=True)
class Machine:
    """What the last launch or calibration ran on."""

    device: str
    """Name of the GPU, or `cpu`."""
    cores: float
    gpus: float
    start: float = 0
    """Seconds until the first trial began."""


@dataclass
class Costs:
    """Costs by device and by the knobs that they depend on. Methods answer for the machine that was used last."""

    machine: Machine | None = None
    known: dict[str, dict[str, Cost]] = field(default_factory=dict)
    rates: dict[str, dict[int, float]] = field(default_factory=dict)
    """By device: training steps per second in total, by the number of concurrent trials on one GPU."""

    @staticmethod
    def read(storage: Storage) -> "Costs":
        """The costs in a storage; none if there are none.

        Raises:
            Damaged: they are not what was written.
        """
        content, where = storage.read(FILE), storage.root / FILE
        if content is None:
            return Costs()
        value = unsealed(content, where=where)
        with decoding(where):
            known = {
                device: {shape: _named(cost) for shape, cost in costs.items()}
                for device, costs in value["known"].items()
            }
            return _COSTS.validate_python(value | {"known": known})

    @staticmethod
    def read_or_none(storage: Storage) -> "tuple[Costs, list[str]]":
        """The costs in a storage, or none if they are damaged, and what is wrong with them."""
        try:
            return Costs.read(storage), []
        except Damaged as error:
            return Costs(), [str(error)]

    def write(self, storage: Storage) -> None:
        """Merge with what another launcher may have written in the meantime."""
        other, damaged = Costs.read_or_none(storage)
        if damaged:
            storage.set_aside(FILE)
        devices = other.known | self.known
        self.known = {device: other.known.get(device, {}) | self.known.get(device, {}) for device in devices}
        self.rates = other.rates | self.rates
        known = {device: {key: cost.to_json() for key, cost in each.items()} for device, each in self.known.items()}
        storage.write(FILE, sealed(asdict(self) | {"known": known}, indent=1))

    def learn(self, trial: Trial, cost: Cost) -> None:
        assert self.machine is not None
        self.known.setdefault(self.machine.device, {})[shape(trial.config)] = cost

    def of(self, trial: Trial) -> Cost | None:
        return self.known.get(self.machine.device, {}).get(shape(trial.config)) if self.machine else None

    def unknown(self, trials: Iterable[Trial]) -> list[Trial]:
        """One trial for each `shape` whose cost is unknown."""
        kinds = {shape(trial.config): trial for trial in trials if self.of(trial) is None}
        return list(kinds.values())

    def seconds(self, trial: Trial) -> float:
        """Expected duration of a trial; 0 if unknown."""
        cost = self.of(trial)
        return cost.seconds(trial.config) if cost else 0.0

    def max_concurrent(self, trial: Trial, *, cpus: float) -> int:
        """How many such trials fit a GPU's memory and its share of the cores; 1 if unknown."""
        cost = self.of(trial)
        if self.machine is None or cost is None or not cost.memory:
            return 1
        return max(1, min(int(FILL / cost.memory), int(self.machine.cores / self.machine.gpus / cpus)))

    def in_order(self, trials: Iterable[Trial]) -> list[Trial]:
        """Seed by seed: first trials of unknown cost, then the longest, so that no long trial starts last."""
        return sorted(trials, key=lambda t: (t.seed, -self.seconds(t) if self.of(t) else -math.inf))

    def gpu_fraction(self, trial: Trial, *, cpus: float) -> float:
        """The fraction of a GPU for one trial: as many share it as fit and as, if measured, are worthwhile."""
        if self.machine is None or not self.machine.gpus:
            return 0.0
        fitting = self.max_concurrent(trial, cpus=cpus)
        return 1 / max((n for n in worthwhile_counts(self._rates()) if n <= fitting), default=fitting)

    def to_measure(self, trial: Trial, *, cpus: float) -> list[int]:
        """Numbers of concurrent trials still to be measured; empty once it is known which are worthwhile."""
        rates = self._rates()
        numbers = [n for n in COUNTS_TO_MEASURE if n <= self.max_concurrent(trial, cpus=cpus)]
        last = max(rates, default=0)
        return numbers if last < numbers[-1] and (not rates or last in worthwhile_counts(rates)) else []

    def slowdown(self, trial: Trial, *, cpus: float) -> float:
        """How many times longer an epoch takes on its fraction of a GPU than alone; 1 if not measured."""
        fraction, rates = self.gpu_fraction(trial, cpus=cpus), self._rates()
        return rates[1] / (fraction * rates[round(1 / fraction)]) if rates else 1.0

    def _rates(self) -> dict[int, float]:
        """Rates of the machine's device."""
        return self.rates.get(self.machine.device, {}) if self.machine else {}

    def concurrent(self, *, cpus: float, gpus: float) -> int:
        """How many trials with these resources run concurrently on the machine."""
        if self.machine is None:
            return 1
        return max(1, int(min(self.machine.cores / cpus, self.machine.gpus / gpus if gpus else math.inf)))

    def wall_seconds(self, trials: Sequence[Trial], *, cpus: float, gpus: float | None) -> float:
        """Time until the last of the trials ends, if each starts in order as soon as resources are free."""
        if self.machine is None or not trials:
            return 0.0
        fraction = max(self.gpu_fraction(trial, cpus=cpus) for trial in trials) if gpus is None else gpus
        ends = [self.machine.start] * self.concurrent(cpus=cpus, gpus=fraction)
        for trial in trials:
            heapq.heapreplace(ends, ends[0] + self.seconds(trial))
        return max(ends)


def worthwhile_counts(rates: Mapping[int, float]) -> dict[int, float]:
    """Those numbers of concurrent trials, with their rates, that gain enough over every smaller number."""
    found: dict[int, float] = {}
    for n, rate in sorted(rates.items()):
        if rate >= GAIN * max(found.values(), default=0):
            found[n] = rate
    return found


def _named(cost: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `Cost` from costs.json, by their names."""
    names = {key: name for name, key in JSON_KEYS.items()}
    weights = {"weights": cost.get("checkpoint", 0) // 4}  # in older files: a checkpoint holds them four times
    return weights | {names.get(key, key): value for key, value in cost.items()}


_COSTS: TypeAdapter[Costs] = TypeAdapter(Costs)


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


def totals(
    trials: Iterable[Trial], costs: Costs, *, cpus: float, gpus: float | None, keeps: Callable[[Trial], bool]
) -> dict[str, Any]:
    """GPU-hours (core-hours without a GPU), wall-clock hours and GB of storage, and how many costs are unknown.

    Args:
        keeps: whether a finished trial keeps its model.
    """
    trials = list(trials)
    found = [(trial, cost) for trial in trials if (cost := costs.of(trial))]
    shares = [costs.gpu_fraction(trial, cpus=cpus) if gpus is None else gpus for trial, _ in found]
    concurrent = costs.concurrent(cpus=cpus, gpus=max(shares, default=0))
    checkpoints = max((cost.checkpoint for _, cost in found), default=0) * concurrent
    used = sum(cost.seconds(trial.config) * (share or cpus) for (trial, cost), share in zip(found, shares, strict=True))
    return {
        "hours": used / 3600,
        "wall_hours": costs.wall_seconds(costs.in_order(trial for trial, _ in found), cpus=cpus, gpus=gpus) / 3600,
        "stored_gb": (sum(c.stored + keeps(trial) * c.weights for trial, c in found) + checkpoints) / 1e9,
        "unknown": len(trials) - len(found),
    }
