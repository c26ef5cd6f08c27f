"""A trial's checkpoint: written while the next epoch trains, read when the trial goes on. Loads torch, no ray."""

import copy
import io
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import torch

from study.storage import TrialFiles
from wbc_model.training.train import TrainState

FILE = "checkpoint.pt"


def snapshot(state: TrainState) -> dict[str, Any]:
    """What training goes on to change, copied on its device. The best weights are a copy already."""
    return state.to_dict() | copy.deepcopy({"model": state.model, "optimizer": state.optimizer})


class Checkpoint:
    """As a context: however a trial ends, the epoch that was being saved is saved first.

    Args:
        inputs: the data and weights that the trial is made from, as JSON values.
    """

    def __init__(self, files: TrialFiles, inputs: dict[str, Any]) -> None:
        self.files, self.inputs = files, inputs
        self.writer = ThreadPoolExecutor(1)
        self.last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.shutdown()

    def read(self) -> TrainState | None:
        """Where an earlier attempt stopped, unless it had other data or weights: then the trial starts anew."""
        content = self.files.read(FILE)
        if content is None:
            return None
        checkpoint = torch.load(io.BytesIO(content), map_location="cpu")
        return TrainState(**checkpoint["state"]) if checkpoint["inputs"] == self.inputs else None

    def write(self, state: TrainState) -> None:
        """Begin to."""
        self.last = self.writer.submit(self._save, snapshot(state))

    def wait(self) -> None:
        """Until what was begun is written; raises what kept it from being so."""
        if self.last is not None:
            self.last.result()

    def _save(self, state: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save({"inputs": self.inputs, "state": state}, buffer)
        self.files.write(FILE, buffer.getvalue())
