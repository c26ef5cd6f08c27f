"""What trials cost, learned from finished trials or a short calibration and kept in storage. No torch, no ray."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter

from study.costs.cost import Cost, named, shape
from study.plan import Trial
from study.storage import Storage
from wbc_model.errors import Damaged, decoding
from wbc_model.files import sealed, unsealed

FILE = "costs.json"
FILL = 0.9
"""Fraction of a GPU's memory that concurrent trials may fill together."""
COUNTS_TO_MEASURE = (1, 2, 3, 4, 6, 8, 12, 16)
"""Numbers of concurrent trials that a GPU may be measured with."""
GAIN = 1.05
"""A larger number of concurrent trials is worthwhile if it raises the total rate by at least this factor."""


@dataclass(frozen=True)
class Pool:
    """The nodes of a cluster that have one kind of device."""

    device: str
    """Name of the GPU, or `cpu`."""
    cores: float
    gpus: float

    def __str__(self) -> str:
        return f"{self.device}, {self.gpus or self.cores:g} {'GPUs' if self.gpus else 'cores'}"

    def concurrent(self, *, cpus: float, gpus: float) -> int:
        """How many trials with these resources run concurrently."""
        return max(1, int(min(self.cores / cpus, self.gpus / gpus if gpus else math.inf)))


@dataclass
class Costs:
    """Costs by device and by the knobs that they depend on."""

    pools: list[Pool] = field(default_factory=list)
    """What the last launch or calibration ran on."""
    start: float = 0
    """Seconds until its first trial began."""
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
                device: {shape: named(cost) for shape, cost in costs.items()}
                for device, costs in value["known"].items()
            }
            return _COSTS.validate_python(_with_pools(value) | {"known": known})

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

    @property
    def gpus(self) -> float:
        return sum(pool.gpus for pool in self.pools)

    def learn(self, trial: Trial, cost: Cost, device: str) -> None:
        self.known.setdefault(device, {})[shape(trial.config)] = cost

    def of(self, trial: Trial, device: str) -> Cost | None:
        return self.known.get(device, {}).get(shape(trial.config))

    def everywhere(self, trial: Trial) -> list[Cost]:
        """Its costs on those of the cluster's devices on which they are known."""
        return [cost for pool in self.pools if (cost := self.of(trial, pool.device))]

    def unknown(self, trials: Iterable[Trial], device: str | None = None) -> list[Trial]:
        """One trial for each `shape` whose cost is unknown on a device; None: on all of the cluster's."""
        kinds = {
            shape(trial.config): trial
            for trial in trials
            if not (self.everywhere(trial) if device is None else self.of(trial, device))
        }
        return list(kinds.values())

    def seconds(self, trial: Trial) -> float:
        """Expected duration of a trial, on the slowest of the cluster's devices; 0 if unknown."""
        return max((cost.seconds(trial.config) for cost in self.everywhere(trial)), default=0.0)

    def in_order(self, trials: Iterable[Trial]) -> list[Trial]:
        """Seed by seed: first trials of unknown cost, then the longest, so that no long trial starts last."""
        return sorted(trials, key=lambda t: (t.seed, -self.seconds(t) if self.everywhere(t) else -math.inf))

    def max_concurrent(self, trial: Trial, pool: Pool, *, cpus: float) -> int:
        """How many such trials fit a GPU's memory and its share of the cores; 1 if unknown."""
        cost = self.of(trial, pool.device)
        if cost is None or not cost.memory:
            return 1
        return max(1, min(int(FILL / cost.memory), int(pool.cores / pool.gpus / cpus)))

    def gpu_fraction(self, trial: Trial, pool: Pool, *, cpus: float) -> float:
        """The fraction of a GPU for one trial: as many share it as fit and as, if measured, are worthwhile."""
        if not pool.gpus:
            return 0.0
        fitting = self.max_concurrent(trial, pool, cpus=cpus)
        return 1 / max((n for n in worthwhile_counts(self._rates(pool)) if n <= fitting), default=fitting)

    def to_measure(self, trial: Trial, pool: Pool, *, cpus: float) -> list[int]:
        """Numbers of concurrent trials still to be measured; empty once it is known which are worthwhile."""
        rates = self._rates(pool)
        numbers = [n for n in COUNTS_TO_MEASURE if n <= self.max_concurrent(trial, pool, cpus=cpus)]
        last = max(rates, default=0)
        return numbers if last < numbers[-1] and (not rates or last in worthwhile_counts(rates)) else []

    def slowdown(self, trial: Trial, pool: Pool, *, cpus: float) -> float:
        """How many times longer an epoch takes on its fraction of a GPU than alone; 1 if not measured."""
        fraction, rates = self.gpu_fraction(trial, pool, cpus=cpus), self._rates(pool)
        return rates[1] / (fraction * rates[round(1 / fraction)]) if rates else 1.0

    def _rates(self, pool: Pool) -> dict[int, float]:
        return self.rates.get(pool.device, {})


def worthwhile_counts(rates: Mapping[int, float]) -> dict[int, float]:
    """Those numbers of concurrent trials, with their rates, that gain enough over every smaller number."""
    found: dict[int, float] = {}
    for n, rate in sorted(rates.items()):
        if rate >= GAIN * max(found.values(), default=0):
            found[n] = rate
    return found


def _with_pools(value: dict[str, Any]) -> dict[str, Any]:
    """The content of a costs.json, also of an older one, which has a single machine."""
    if "machine" not in value:
        return value
    machine = value.pop("machine")
    start = machine.pop("start") if machine else 0
    return value | {"pools": [machine] if machine else [], "start": start}


_COSTS: TypeAdapter[Costs] = TypeAdapter(Costs)
