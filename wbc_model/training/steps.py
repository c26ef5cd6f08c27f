"""The updates of an epoch. All that they need lies on the device, so nothing is sent, asked or waited for in between.

On a GPU a step is captured as a CUDA graph once its kernels have run a few times, and is one launch from then on
instead of some thousands.
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

WARM_UP = 3
"""Steps before the capture, in which libraries allocate and load what they need."""

Mixes = tuple[Tensor, Tensor]
"""Of each step of an epoch: mixup's weights (steps, 1 or B), and partners (steps, B)."""


class StepRunner:
    """Updates of a model on one training set, an epoch at a time.

    Args:
        model: on the device already.
        capture: on a GPU, as a CUDA graph; else kernel by kernel. The kernels are the same.
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
        self.tables: dict[str, Tensor] = {}
        """Of the steps of an epoch, by what they are of; one place each in all epochs."""
        self.numbers = torch.arange(steps, device=device)
        self.number = torch.zeros(1, dtype=torch.int64, device=device)
        self.tallies = torch.zeros(steps, 3, device=device)
        self.stream = torch.cuda.Stream() if capture and self.device.type == "cuda" else None
        self.warm = 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def epoch(self, order: Tensor, mixes: Mixes | None) -> Tensor:
        """Every step once. Loss, accuracy and weighted accuracy of each batch, (steps, 3), on the device.

        Args:
            order: indices (steps, B) of the images.

        Raises:
            RuntimeError: a GPU's step that cannot be captured.
        """
        tables = {"order": order, "factors": self.optimizer.factors(len(order))}
        if mixes is not None:
            tables |= dict(zip(("lam", "partners"), mixes, strict=True))
        if not self.tables:
            self.tables = {name: torch.empty_like(table, device=self.device) for name, table in tables.items()}
        for name, table in tables.items():
            self.tables[name].copy_(to_device(table, self.device))
        self.number.zero_()
        with self._aside():
            for _ in order:
                self._next()
        return self.tallies

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """On the stream of the capture, after what was begun before; what comes later is after it."""
        if self.stream is None:
            yield
            return
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            yield
        torch.cuda.current_stream().wait_stream(self.stream)

    def _next(self) -> None:
        if self.stream is None or self.warm < WARM_UP:
            self._step()
            self.warm += 1
            return
        if self.graph is None:
            self.graph = self._captured(self.stream)
        self.graph.replay()

    def _captured(self, stream: torch.cuda.Stream) -> torch.cuda.CUDAGraph:
        """A step that is written down and not done. Other threads, which save, may go on with what they do."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self._step()
        except RuntimeError as error:
            for cause in (error, error.__context__):  # the capture ends with an error of its own
                if isinstance(cause, torch.cuda.OutOfMemoryError):
                    raise cause from None
            raise RuntimeError(f"the training step cannot be captured as a CUDA graph: {error}. study/run.py --eager "
                               "trains without") from error  # fmt: skip
        return graph

    def _step(self) -> None:
        """One update, by the row of each table whose number it is."""
        row = {name: table.index_select(0, self.number)[0] for name, table in self.tables.items()}
        x, y = to_unit(self.pixels.index_select(0, row["order"])), self.labels.index_select(0, row["order"])
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
        self.tallies.copy_(torch.where((self.numbers == self.number)[:, None], tally, self.tallies))
        self.number += 1
