"""Measure what a trial costs on this machine, in seconds and memory, from a few of its steps. Loads torch, no ray."""

import io
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import nn

from study.costs.cost import Cost
from study.plan import Trial
from study.settings import Settings
from study.tracking.wandb_run import tracked
from study.trial.checkpoints import snapshot
from study.trial.device_memory import gpu_share
from study.trial.inputs import prepared
from study.trial.pretrained import weights_source
from wbc_model.networks.build import build
from wbc_model.preparation.cache import Prepared
from wbc_model.preparation.image_set import ImageSet
from wbc_model.training.device import choose
from wbc_model.training.predict import predict
from wbc_model.training.train import EpochReport, fit

STEPS, IMAGES = 12, 128
"""Training steps of a shortened epoch, and images on which evaluation is timed."""


def measure(trial: Trial, settings: Settings) -> Cost:
    """Train two epochs of a few steps and evaluate a few images twice, in both cases timing the second.

    Opening and closing a W&B run takes as long as a short training, so one is timed too: offline, in a temporary
    folder.
    """
    device, begun = choose(), time.perf_counter()
    training = shortened(trial, settings, epochs=2, device=device)
    start = time.perf_counter() - begun
    data, batch_size = training.data, trial.config.batch_size
    *_, last = training.epochs
    step = last.seconds / training.steps
    some = _part(data.sets["validation"], IMAGES)
    predict(training.model, some, device=device)
    begun = time.perf_counter()
    predict(training.model, some, device=device)
    image = (time.perf_counter() - begun) / len(some)
    buffer = io.BytesIO()
    torch.save(snapshot(last.state), buffer)
    sizes = {name: len(images) for name, images in data.sets.items()}
    return Cost(
        epoch_seconds=sizes["train"] // batch_size * step + sizes["validation"] * image,
        overhead_seconds=start + _tracking(trial, settings) + (sizes["validation"] + sizes["test"]) * image,
        memory=gpu_share(device, more=data.sets["train"].pixels[STEPS * batch_size :].nbytes),
        stored=sizes["test"] * 200,
        checkpoint=buffer.tell(),
        weights=sum(tensor.nbytes for tensor in last.state.model.values()),
    )


class Shortened(NamedTuple):
    """A training whose epochs have only a few steps and are validated on one image."""

    data: Prepared
    """The whole dataset."""
    model: nn.Module
    steps: int
    """Steps of one epoch."""
    epochs: Iterator[EpochReport]
    """Lazy: nothing is computed before the first report is requested."""


def shortened(trial: Trial, settings: Settings, *, epochs: int, device: str) -> Shortened:
    """Set up a trial's training, with its data and weights, for shortened epochs."""
    config = replace(trial.config, epochs=epochs)
    data = prepared(config.data, settings)
    model = build(config, seed=trial.seed, weights=weights_source(settings))
    train, none = _part(data.sets["train"], STEPS * config.batch_size), _part(data.sets["validation"], 1)
    reports = fit(model, train, none, config, seed=trial.seed, device=device, capture=not settings.eager)
    return Shortened(data, model, len(train) // config.batch_size, reports)


def _part(images: ImageSet, n: int) -> ImageSet:
    """The first n images."""
    return ImageSet(images.pixels[:n], images.labels[:n], images.ids[:n], images.cells)


def _tracking(trial: Trial, settings: Settings) -> float:
    """Seconds to open and close a W&B run."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        temporary = replace(
            settings, storage=folder, tracking="disabled" if settings.tracking == "disabled" else "offline"
        )
        with tracked(trial, temporary):
            pass
    return time.perf_counter() - begun
