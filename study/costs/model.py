"""What trials cost: learnt from finished ones or from a short calibration, kept in storage. No torch, no ray."""

import heapq
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from study.plan import Trial
from study.storage import Storage
from wbc_model.config import Baseline, TrialConfig

FILE = "costs.json"
FILL = 0.9
"""Share of a GPU's memory that trials may fill together."""
AT_A_TIME = (1, 2, 3, 4, 6, 8, 12, 16)
"""Trials that a GPU may be measured with."""
GAIN = 1.05
"""More at a time are of use while they do at least so much more together."""


@dataclass(frozen=True)
class Cost:
    """Of one trial on its share of a machine."""

    epoch: float
    """Seconds an epoch, its validation included, beside the others that share its GPU."""
    rest: float
    """Seconds beside the epochs: data, weights, test, tracking. From a calibration, with nothing beside."""
    memory: float = 0
    """Share of a GPU's memory at most; 0 without a GPU."""
    stored: int = 0
    """Bytes that stay in storage."""
    checkpoint: int = 0
    """Bytes in storage while it runs."""

    def seconds(self, config: TrialConfig) -> float:
        return self.epoch * config.epochs + self.rest


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
    """By device and by what a trial's time depends on; everything is of the machine that was used last."""

    machine: Machine | None = None
    known: dict[str, dict[str, Cost]] = field(default_factory=dict)
    rates: dict[str, dict[int, float]] = field(default_factory=dict)
    """By device: training steps a second that so many trials at a time on one GPU do together."""

    @staticmethod
    def read(storage: Storage) -> "Costs":
        content = json.loads(storage.read(FILE) or b"{}")
        machine = content.get("machine")
        known = {
            device: {shape: Cost(**cost) for shape, cost in costs.items()}
            for device, costs in content.get("known", {}).items()
        }
        rates = {
            device: {int(n): rate for n, rate in found.items()} for device, found in content.get("rates", {}).items()
        }
        return Costs(Machine(**machine) if machine else None, known, rates)

    def write(self, storage: Storage) -> None:
        """With what another launcher may have learnt meanwhile."""
        there = Costs.read(storage)
        theirs = there.known
        self.known = {device: theirs.get(device, {}) | self.known.get(device, {}) for device in theirs | self.known}
        self.rates = there.rates | self.rates
        storage.write(FILE, json.dumps(asdict(self), indent=1).encode())

    def learn(self, trial: Trial, cost: Cost) -> None:
        assert self.machine is not None
        self.known.setdefault(self.machine.device, {})[shape(trial.config)] = cost

    def of(self, trial: Trial) -> Cost | None:
        return self.known.get(self.machine.device, {}).get(shape(trial.config)) if self.machine else None

    def unknown(self, trials: Iterable[Trial]) -> list[Trial]:
        """One trial of each kind whose cost is not known."""
        kinds = {shape(trial.config): trial for trial in trials if self.of(trial) is None}
        return list(kinds.values())

    def seconds(self, trial: Trial) -> float:
        """0 where it is not known."""
        cost = self.of(trial)
        return cost.seconds(trial.config) if cost else 0.0

    def room(self, trial: Trial, *, cpus: float) -> int:
        """Trials that a GPU's memory holds and its cores serve; one where that is not known."""
        cost = self.of(trial)
        if self.machine is None or cost is None or not cost.memory:
            return 1
        return max(1, min(int(FILL / cost.memory), int(self.machine.cores / self.machine.gpus / cpus)))

    def in_order(self, trials: Iterable[Trial]) -> list[Trial]:
        """Seed by seed, the longest first, so that no machine waits for one that began last; before, the unknown."""
        return sorted(trials, key=lambda t: (t.seed, -self.seconds(t) if self.of(t) else -math.inf))

    def share(self, trial: Trial, *, cpus: float) -> float:
        """Of a GPU: as many trials as there is room for, and as do more together, where that was measured."""
        if self.machine is None or not self.machine.gpus:
            return 0.0
        room = self.room(trial, cpus=cpus)
        return 1 / max((n for n in useful(self._rates()) if n <= room), default=room)

    def to_measure(self, trial: Trial, *, cpus: float) -> list[int]:
        """Trials at a time that there is room for, if it is not known yet from which number on they gain nothing."""
        rates = self._rates()
        numbers = [n for n in AT_A_TIME if n <= self.room(trial, cpus=cpus)]
        last = max(rates, default=0)
        return numbers if last < numbers[-1] and (not rates or last in useful(rates)) else []

    def slowdown(self, trial: Trial, *, cpus: float) -> float:
        """How much longer an epoch takes on its share of a GPU than alone, where that was measured."""
        share, rates = self.share(trial, cpus=cpus), self._rates()
        return rates[1] / (share * rates[round(1 / share)]) if rates else 1.0

    def _rates(self) -> dict[int, float]:
        """Of the present device."""
        return self.rates.get(self.machine.device, {}) if self.machine else {}

    def places(self, *, cpus: float, gpus: float) -> int:
        """Trials at a time, of so much each."""
        if self.machine is None:
            return 1
        return max(1, int(min(self.machine.cores / cpus, self.machine.gpus / gpus if gpus else math.inf)))

    def wall(self, trials: Sequence[Trial], *, cpus: float, gpus: float | None) -> float:
        """Seconds until the last of the trials ends, started in order as places come free."""
        if self.machine is None or not trials:
            return 0.0
        share = max(self.share(trial, cpus=cpus) for trial in trials) if gpus is None else gpus
        ends = [self.machine.start] * self.places(cpus=cpus, gpus=share)
        for trial in trials:
            heapq.heapreplace(ends, ends[0] + self.seconds(trial))
        return max(ends)


def useful(rates: Mapping[int, float]) -> dict[int, float]:
    """Of measured rates by trials at a time, those that are worth their number."""
    found: dict[int, float] = {}
    for n, rate in sorted(rates.items()):
        if rate >= GAIN * max(found.values(), default=0):
            found[n] = rate
    return found


@cache
def shape(config: TrialConfig) -> str:
    """The knobs that a trial's time and memory depend on, as text; attention and initial weights hardly matter."""
    model = config.model
    if isinstance(model, Baseline):
        network = model.network.value
    else:
        branches = "+".join(n for n in ("resnet", "densenet") if getattr(model, n) is not None)
        network = f"{branches}-{model.cut}-{model.fuse}{'-frozen' * model.frozen}"
    knobs = ("dataset", "trunks", "images", "image_size", "batch_size", "augmentation", "split", "precision")
    tests = config.test_on if isinstance(config.test_on, str) else "+".join(map(str, config.test_on))
    return " ".join([network, *(f"{getattr(config, knob)}" for knob in knobs), tests])


def totals(trials: Iterable[Trial], costs: Costs, *, cpus: float, gpus: float | None) -> dict[str, Any]:
    """Hours of GPUs (of cores, without any), wall time, and storage; trials of unknown cost are counted."""
    trials = list(trials)
    found = [(trial, cost) for trial in trials if (cost := costs.of(trial))]
    shares = [costs.share(trial, cpus=cpus) if gpus is None else gpus for trial, _ in found]
    kept = max((cost.checkpoint for _, cost in found), default=0) * costs.places(cpus=cpus, gpus=max(shares, default=0))
    used = sum(cost.seconds(trial.config) * (share or cpus) for (trial, cost), share in zip(found, shares, strict=True))
    return {
        "hours": used / 3600,
        "wall_hours": costs.wall(costs.in_order(trial for trial, _ in found), cpus=cpus, gpus=gpus) / 3600,
        "stored_gb": (sum(cost.stored for _, cost in found) + kept) / 1e9,
        "unknown": len(trials) - len(found),
    }
