"""A trial's checkpoint: written while the next epoch trains, read when the trial resumes. Loads torch, no ray."""

import copy
import io
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import torch

from study.storage import TrialFiles
from wbc_model.training.train import TrainState

FILE = "checkpoint.pt"


def snapshot(state: TrainState) -> dict[str, Any]:
    """The state as a dict, with copies, on their device, of what further training changes in place."""
    return state.to_dict() | copy.deepcopy({"model": state.model, "optimizer": state.optimizer})


class Checkpoint:
    """Writes checkpoints in the background. As a context manager, it completes a pending write at the end of the block.

    Args:
        inputs: fingerprints of the data and weights that the trial is trained on, as JSON values.
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
        """The state at which an earlier attempt stopped; None if there is none, or it had other data or weights."""
        content = self.files.read(FILE)
        if content is None:
            return None
        checkpoint = torch.load(io.BytesIO(content), map_location="cpu")
        return TrainState(**checkpoint["state"]) if checkpoint["inputs"] == self.inputs else None

    def write(self, state: TrainState) -> None:
        """Start writing the checkpoint in the background."""
        self.last = self.writer.submit(self._save, snapshot(state))

    def wait(self) -> None:
        """Wait for the pending write; re-raise its error."""
        if self.last is not None:
            self.last.result()

    def _save(self, state: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save({"inputs": self.inputs, "state": state}, buffer)
        self.files.write(FILE, buffer.getvalue())
