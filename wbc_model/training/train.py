"""`fit`: one training as a generator of epochs. It never sees test data, and depends on neither Ray nor W&B."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wbc_model.choices import LrSchedule, Precision, Stain
from wbc_model.config import TrialConfig
from wbc_model.preparation.image_set import ImageSet
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.seeding import generator, torch_seeded
from wbc_model.training import stain_jitter
from wbc_model.training.mixup import draw
from wbc_model.training.predict import predict_known
from wbc_model.training.radam import RAdam
from wbc_model.training.steps import Mixes, StepRunner

State = dict[str, Any]


class TrainingError(RuntimeError):
    """A training that cannot continue. The message says why, and where known in which epoch and step."""


@dataclass(frozen=True)
class TrainState:
    """Everything needed to resume after an epoch as if there had been no interruption.

    It refers to the live weights: save or copy it before the next epoch. It holds no random state, because every epoch
    has random streams of its own.
    """

    epoch: int
    """The number of completed epochs."""
    model: State
    optimizer: State
    best_epoch: int
    best_accuracy: float
    """The highest validation accuracy so far; `best_epoch` is the first epoch that reached it."""
    best_model: State

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, for `torch.save`."""
        return dict(vars(self))


@dataclass(frozen=True)
class EpochReport:
    """The results of one epoch."""

    epoch: int
    """Counted from 0."""
    train_loss: float
    train_accuracy: float
    """Fraction of the training images whose predicted class has the largest weight in the (mixed) soft label; this is
    what Figs. 6 and 8 show."""
    train_accuracy_weighted: float
    """Mean weight of the predicted class in the soft labels; with mixup it cannot reach 1."""
    validation: ConfusionMatrix
    lr: float
    seconds: float
    state: TrainState

    def row(self) -> dict[str, float]:
        """This epoch's numbers, with the validation accuracy and macro F1, by name."""
        names = ("epoch", "train_loss", "train_accuracy", "train_accuracy_weighted", "lr", "seconds")
        scores = self.validation.scores()
        return {name: getattr(self, name) for name in names} | {
            "validation_accuracy": scores["accuracy"],
            "validation_macro_f1": scores["macro_f1"],
        }


def fit(
    model: nn.Module,
    train: ImageSet,
    validation: ImageSet,
    config: TrialConfig,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    resume: TrainState | None = None,
    capture: bool = True,
) -> Iterator[EpochReport]:
    """Train for `config.epochs` epochs and yield a report after each. The last report's state holds the best weights.

    Args:
        seed: for the order of the images, stain jitter, mixup and dropout; trials with the same seed share the order.
        resume: the state after an earlier epoch; training continues from it bit for bit.
        capture: on a GPU, replay each step as a CUDA graph; otherwise launch it kernel by kernel.

    Raises:
        TrainingError: the loss is not finite, or the training set is smaller than one batch.
    """
    if len(train) < config.batch_size:
        raise TrainingError(f"{len(train)} training images are fewer than one batch of {config.batch_size}")
    model.to(device).to(memory_format=_layout(device, config.precision))
    optimizer = RAdam((p for p in model.parameters() if p.requires_grad), lr=config.lr)
    if resume is not None:
        model.load_state_dict(resume.model)
        optimizer.load_state_dict(resume.optimizer)
    steps = StepRunner(model, train, optimizer, config, device=device, capture=capture)
    best = (resume.best_epoch, resume.best_accuracy, resume.best_model) if resume else (-1, -1.0, {})
    for epoch in range(resume.epoch if resume else 0, config.epochs):
        started = time.perf_counter()
        lr = _set_lr(optimizer, config, epoch)
        loss, accuracy, weighted = _train_epoch(steps, train, config, seed=seed, epoch=epoch)
        matrix = predict_known(model, validation, classes=validation.cells, device=device).matrix
        if matrix.accuracy > best[1]:
            best = (epoch, matrix.accuracy, {k: v.detach().clone() for k, v in model.state_dict().items()})
        state = TrainState(epoch + 1, model.state_dict(), optimizer.state_dict(), *best)
        yield EpochReport(epoch, loss, accuracy, weighted, matrix, lr, time.perf_counter() - started, state)


def batches(n: int, *, batch_size: int, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """Image indices (batch_size,) of each batch of an epoch, in random order. A last batch that is not full is dropped,
    because batch norm cannot train on one image."""
    order = generator(seed, "order", epoch).permutation(n)
    for start in range(0, n - batch_size + 1, batch_size):
        yield np.sort(order[start : start + batch_size])


def _layout(device: torch.device | str, precision: Precision) -> torch.memory_format:
    """The memory layout of the weights, which the feature maps follow: channels last, except for fp32 on a GPU, whose
    kernels use the other."""
    wants_channels_first = torch.device(device).type == "cuda" and precision is Precision.FP32
    return torch.contiguous_format if wants_channels_first else torch.channels_last


def _train_epoch(
    steps: StepRunner, train: ImageSet, config: TrialConfig, *, seed: int, epoch: int
) -> tuple[float, float, float]:
    """Train for one epoch; the mean loss, accuracy and weighted accuracy over its images."""
    steps.model.train()
    order = np.stack(list(batches(len(train), batch_size=config.batch_size, seed=seed, epoch=epoch)))
    mixes = _mixes(config, len(order), seed=seed, epoch=epoch)
    stains = _stains(config, len(order), seed=seed, epoch=epoch)
    with torch_seeded(seed, "dropout", epoch):
        table = steps.epoch(torch.from_numpy(order), mixes, stains).cpu()
    if not table[:, 0].isfinite().all():
        step = int((~table[:, 0].isfinite()).nonzero()[0])
        raise TrainingError(f"the loss is {table[step, 0].item()} in epoch {epoch}, step {step}")
    loss, accuracy, weighted = table.double().mean(0).tolist()
    return loss, accuracy, weighted


def _mixes(config: TrialConfig, steps: int, *, seed: int, epoch: int) -> Mixes | None:
    """The mixup of every step of an epoch; None without mixup."""
    if config.mixup_alpha == 0:
        return None
    rng = generator(seed, "mixup", epoch)
    drawn = [draw(rng, alpha=config.mixup_alpha, per=config.mixup_per, batch=config.batch_size) for _ in range(steps)]
    lam, order = zip(*drawn, strict=True)
    return torch.stack(lam), torch.stack(order)


def _stains(config: TrialConfig, steps: int, *, seed: int, epoch: int) -> Tensor | None:
    """The stain jitter of every image of an epoch; None without."""
    if config.stain is not Stain.JITTER:
        return None
    drawn = stain_jitter.draw(generator(seed, "stain", epoch), images=steps * config.batch_size)
    return drawn.view(steps, config.batch_size, 3, 3)


def _set_lr(optimizer: RAdam, config: TrialConfig, epoch: int) -> float:
    """Set and return an epoch's learning rate; the cosine schedule decreases from `lr` towards 0 over all epochs."""
    share = (1 + math.cos(math.pi * epoch / config.epochs)) / 2 if config.schedule is LrSchedule.COSINE else 1.0
    for group in optimizer.param_groups:
        group["lr"] = config.lr * share
    return config.lr * share
