"""Why an attempt at a trial failed, and what to do about it. No torch, no ray."""

import traceback
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from wbc_model.errors import UNWRITABLE, Damaged

BACK_OFF = (1.0, 10.0, 60.0)
"""Seconds of backoff before the first, second and third retry after a transient error."""
MAX_STALLED_ATTEMPTS = 3
"""Consecutive attempts that may be lost without completing an epoch; lost attempts that completed one do not count."""


class Kind(StrEnum):
    """The kind of a failure decides whether and when its trial is retried."""

    LOST = "lost"
    """The worker or its node died or was preempted: retried from the latest checkpoint."""
    MEMORY = "memory"
    """Out of GPU memory: retried with twice the fraction of a GPU."""
    TRANSIENT = "transient"
    """An I/O error that may not recur: retried with backoff."""
    STORAGE = "place"
    """A disk that is full or not writable: not retried; after two such failures no further trial is started."""
    DATA = "data"
    """Missing or damaged images or weights: not retried."""
    TRAINING = "training"
    """A loss that is not finite: not retried."""
    CODE = "code"
    """Everything else: not retried; when two trials of a family of networks fail alike, the family is blocked."""


ADVICE = {
    Kind.LOST: f"its worker died {MAX_STALLED_ATTEMPTS} times without completing an epoch: check the node's memory "
    "and kernel log",
    Kind.MEMORY: "it does not fit a whole GPU: use a larger one or, as a separate study, --set batch_size=...",
    Kind.TRANSIENT: "it failed repeatedly: check that the storage and the network respond",
    Kind.STORAGE: "free some space, make the folder writable, or choose another with --storage, --cache or TMPDIR",
    Kind.DATA: "repair the data or weights that it names",
    Kind.TRAINING: "its epochs and latest checkpoint are kept in storage; --set lr=... makes a separate study",
    Kind.CODE: "fix the code that the traceback shows",
}


@dataclass(frozen=True)
class Failure:
    """One failed attempt."""

    kind: Kind
    error: str
    """The last line of the traceback."""
    traceback: str
    where: str
    """File and line where it was raised: failures that agree in `where` and `error` are the same."""
    epochs: int
    """Epochs completed and saved before it failed."""
    node: str = ""
    """Id of the node, if the trial could have run on another; set by the launcher."""

    @staticmethod
    def of(error: BaseException, *, epochs: int) -> "Failure":
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        line = traceback.format_exception_only(error)[-1].strip()
        return Failure(_kind(error), line, "".join(traceback.format_exception(error)).strip(), where, epochs)

    @staticmethod
    def lost(reason: str, *, epochs: int) -> "Failure":
        return Failure(Kind.LOST, f"lost: {reason}", f"lost: {reason}", "", epochs)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Failure":
        return Failure(**value | {"kind": Kind(value["kind"])})


def _kind(error: BaseException) -> Kind:
    from wbc_model.datasets.dataset import DataError
    from wbc_model.networks.weights import WeightsError
    from wbc_model.training.train import TrainingError  # loads torch: where a trial failed, it is there

    if isinstance(error, DataError | WeightsError | Damaged):
        return Kind.DATA
    if isinstance(error, TrainingError):
        return Kind.TRAINING
    if type(error).__name__ == "OutOfMemoryError":  # torch's, under any of its modules
        return Kind.MEMORY
    if isinstance(error, OSError):
        return Kind.STORAGE if error.errno in UNWRITABLE else Kind.TRANSIENT
    return Kind.CODE
