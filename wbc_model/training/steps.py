"""The training steps of an epoch. All their inputs are on the device beforehand, so the host and the device neither
exchange data nor wait for each other within an epoch.

On a GPU a step is captured as a CUDA graph after a few steps. From then on it is one launch instead of thousands.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wbc_model.choices import Precision
from wbc_model.config import TrialConfig
from wbc_model.preparation.image_set import ImageSet
from wbc_model.training.device import to_device
from wbc_model.training.losses import LOSSES
from wbc_model.training.mixup import mixup
from wbc_model.training.predict import to_unit
from wbc_model.training.radam import RAdam
from wbc_model.training.stain_jitter import jitter

WARM_UP = 3
"""Steps before the capture, in which libraries allocate memory and load kernels."""

Mixes = tuple[Tensor, Tensor]
"""Mixup's weights (steps, 1 or B) and partners (steps, B) for the steps of an epoch."""


class StepRunner:
    """Trains a model on one training set, an epoch per call.

    Args:
        model: already on the device.
        capture: replay the step as a CUDA graph, on a GPU; otherwise launch it kernel by kernel. The kernels are the
            same.
    """

    def __init__(
        self, model: nn.Module, train: ImageSet, optimizer: RAdam, config: TrialConfig, *,
        device: torch.device | str, capture: bool,
    ) -> None:  # fmt: skip
        self.model, self.optimizer, self.config, self.device = model, optimizer, config, torch.device(device)
        steps = len(train) // config.batch_size
        bf16 = config.precision is Precision.BF16
        self.cast = torch.autocast(self.device.type, torch.bfloat16) if bf16 else nullcontext()
        self.pixels = torch.from_numpy(train.pixels).to(device)
        self.labels = F.one_hot(torch.from_numpy(train.labels), len(train.cells)).float().to(device)
        self.inputs: dict[str, Tensor] = {}
        """Tensors with one row per step of an epoch. Their memory stays the same, because a CUDA graph reads it."""
        self.steps = torch.arange(steps, device=device)
        self.step = torch.zeros(1, dtype=torch.int64, device=device)
        self.tallies = torch.zeros(steps, 3, device=device)
        self.stream = torch.cuda.Stream() if capture and self.device.type == "cuda" else None
        self.warm_up_steps = 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def epoch(self, order: Tensor, mixes: Mixes | None, stains: Tensor | None) -> Tensor:
        """Run the steps of one epoch.

        Args:
            order: indices (steps, B) of the images.
            stains: `stain_jitter`'s matrices (steps, B, 3, 3); None: without jitter.

        Returns:
            Loss, accuracy and weighted accuracy of each batch, (steps, 3), on the device.

        Raises:
            RuntimeError: the step cannot be captured as a CUDA graph.
        """
        inputs = {"order": order, "factors": self.optimizer.factors(len(order))}
        if mixes is not None:
            inputs |= dict(zip(("lam", "partners"), mixes, strict=True))
        if stains is not None:
            inputs["stains"] = stains
        if not self.inputs:
            self.inputs = {name: torch.empty_like(rows, device=self.device) for name, rows in inputs.items()}
        for name, rows in inputs.items():
            self.inputs[name].copy_(to_device(rows, self.device))
        self.step.zero_()
        with self._on_capture_stream():
            for _ in order:
                self._next()
        return self.tallies

    @contextmanager
    def _on_capture_stream(self) -> Iterator[None]:
        """Run on the stream that is captured: after all work queued before, and before all work queued later."""
        if self.stream is None:
            yield
            return
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            yield
        torch.cuda.current_stream().wait_stream(self.stream)

    def _next(self) -> None:
        if self.stream is None or self.warm_up_steps < WARM_UP:
            self._update()
            self.warm_up_steps += 1
            return
        if self.graph is None:
            self.graph = self._capture(self.stream)
        self.graph.replay()

    def _capture(self, stream: torch.cuda.Stream) -> torch.cuda.CUDAGraph:
        """Capture one training step as a CUDA graph without executing it. Other threads may use the GPU meanwhile."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self._update()
        except RuntimeError as error:
            for cause in (error, error.__context__):  # ending the capture raises an error of its own
                if isinstance(cause, torch.cuda.OutOfMemoryError):
                    raise cause from None
            raise RuntimeError(f"the training step cannot be captured as a CUDA graph: {error}. Train without it: "
                               "study/run.py --eager") from error  # fmt: skip
        return graph

    def _update(self) -> None:
        """One training step, from the current step's row of each input."""
        row = {name: rows.index_select(0, self.step)[0] for name, rows in self.inputs.items()}
        x, y = to_unit(self.pixels.index_select(0, row["order"])), self.labels.index_select(0, row["order"])
        if "stains" in row:
            x = jitter(x, row["stains"])
        if "lam" in row:
            x, y = mixup(x, y, lam=row["lam"], order=row["partners"])
        with self.cast:
            logits = self.model(x)
        loss = LOSSES[self.config.loss](logits.float(), y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.update(row["factors"])
        guess = logits.detach().argmax(1, keepdim=True)
        accuracy = (guess == y.argmax(1, keepdim=True)).float().mean()
        tally = torch.stack([loss.detach(), accuracy, y.gather(1, guess).mean()])
        self.tallies.copy_(torch.where((self.steps == self.step)[:, None], tally, self.tallies))
        self.step += 1
