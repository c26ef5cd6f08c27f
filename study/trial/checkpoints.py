"""A trial's checkpoint: written while the next epoch trains, read when the trial resumes. Loads torch, no ray."""

import copy
import io
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import torch

from study.storage import TrialFiles
from wbc_model.errors import Damaged, decoding
from wbc_model.files import check_zip
from wbc_model.training.train import TrainState

FILE = "checkpoint.pt"


@dataclass(frozen=True)
class Resumed:
    """Where an earlier attempt stopped."""

    state: TrainState
    rows: list[dict[str, Any]]
    """Of the epoch log, one for each of the state's epochs."""


def snapshot(state: TrainState) -> dict[str, Any]:
    """The state as a dict, with copies, on their device, of what further training changes in place."""
    return state.to_dict() | copy.deepcopy({"model": state.model, "optimizer": state.optimizer})


class Checkpoint:
    """Writes checkpoints in the background. As a context manager, it completes a pending write at the end of the block.

    Args:
        inputs: fingerprints of the data and weights that the trial is trained on, as JSON values.
        device: the name of what this attempt trains on.
    """

    def __init__(self, files: TrialFiles, inputs: dict[str, Any], *, device: str) -> None:
        self.files, self.inputs, self.trial = files, inputs, files.folder.name
        self.devices = [device]
        """What the trial has been trained on, each once: once it is read, in earlier attempts too."""
        self.writer = ThreadPoolExecutor(1)
        self.last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.shutdown()

    def read(self) -> Resumed | None:
        """Where an earlier attempt stopped; None if there is no checkpoint, or it had other data or weights.

        Raises:
            Damaged: it is not what was written, or it has other epochs than the epoch log.
        """
        content, where = self.files.read(FILE), self.files.folder / FILE
        if content is None:
            return None
        with decoding(where):
            check_zip(content)
            checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            if (trial := checkpoint.get("trial", self.trial)) != self.trial:
                raise Damaged(f"{where} is damaged: it is the checkpoint of trial {trial}")
            if checkpoint["inputs"] != self.inputs:
                return None
            state = TrainState(**checkpoint["state"])
            rows = checkpoint.get("rows")
        if rows is None:  # written by an older version
            rows = self.files.epochs()[: state.epoch]
        if len(rows) != state.epoch:
            raise Damaged(f"{where} is damaged: it has {state.epoch} epochs, and the epoch log {len(rows)}")
        self.devices = list(dict.fromkeys([*checkpoint.get("devices", ()), *self.devices]))
        return Resumed(state, rows)

    def write(self, state: TrainState, rows: Sequence[dict[str, Any]]) -> None:
        """Start writing the checkpoint in the background, with the rows of the epochs until then."""
        self.last = self.writer.submit(self._save, snapshot(state), list(rows))

    def wait(self) -> None:
        """Wait for the pending write; re-raise its error."""
        if self.last is not None:
            self.last.result()

    def _save(self, state: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        buffer = io.BytesIO()
        held = {"trial": self.trial, "inputs": self.inputs, "devices": self.devices, "state": state, "rows": rows}
        torch.save(held, buffer)
        self.files.write(FILE, buffer.getvalue())
