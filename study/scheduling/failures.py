"""Why an attempt at a trial failed, and what is to be done about it. No torch, no ray."""

import traceback
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from wbc_model.errors import UNWRITABLE

BACK_OFF = (1.0, 10.0, 60.0)
"""Seconds before the second, third and fourth attempt after a transient error."""
MAX_STALLED_ATTEMPTS = 3
"""Attempts that may be lost one after the other without one more epoch; with one, they are free of charge."""


class Kind(StrEnum):
    """What went wrong decides what follows."""

    LOST = "lost"
    """The worker or its node died, or was taken away: retried from the newest checkpoint."""
    MEMORY = "memory"
    """Of the GPU: retried with twice the share of one."""
    TRANSIENT = "transient"
    """Input or output that may work the next time: retried, each time later."""
    PLACE = "place"
    """A disk that is full or may not be written: not retried; twice, and nothing more is started."""
    DATA = "data"
    """Images or weights that are missing or damaged: not retried."""
    TRAINING = "training"
    """A loss that is not finite: not retried."""
    CODE = "code"
    """Everything else: not retried; the same again in one family of networks, and the family is held."""


ADVICE = {
    Kind.LOST: "its worker died each time without one more epoch: look at the node's memory and its kernel's log",
    Kind.MEMORY: "it does not fit a whole GPU: choose a larger one or, as a study of its own, --set batch_size=...",
    Kind.TRANSIENT: "it failed again and again: see that the storage and the network answer",
    Kind.PLACE: "make room, or let the place be written, or choose another with --storage, --cache or TMPDIR",
    Kind.DATA: "mend the data or weights it names",
    Kind.TRAINING: "its epochs and newest checkpoint are kept in storage; --set lr=... makes another study",
    Kind.CODE: "mend the code it shows",
}


@dataclass(frozen=True)
class Failure:
    """One failed attempt."""

    kind: Kind
    error: str
    """The last line of the traceback."""
    traceback: str
    where: str
    """Innermost place in the code: failures with one `where` and one `error` are the same."""
    epochs: int
    """Done and saved when it failed."""

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

    if isinstance(error, DataError | WeightsError):
        return Kind.DATA
    if isinstance(error, TrainingError):
        return Kind.TRAINING
    if type(error).__name__ == "OutOfMemoryError":  # torch's, under any of its modules
        return Kind.MEMORY
    if isinstance(error, OSError):
        return Kind.PLACE if error.errno in UNWRITABLE else Kind.TRANSIENT
    return Kind.CODE
