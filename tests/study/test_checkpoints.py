"""A checkpoint is written beside the training: from a copy, whole however the trial ends, and its failure is told."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from study.checkpoints import Checkpoint
from study.storage import Storage, TrialFiles
from wbc_model.config import TrialConfig
from wbc_model.network import build
from wbc_model.train import EpochReport, fit

INPUTS = {"data": "0123", "weights": {}}
PATIENCE = 20
"""Seconds after which a test gives up."""


class Slow(TrialFiles):
    """Storage that writes nothing until it may."""

    def __init__(self, files: TrialFiles) -> None:
        super().__init__(files.folder)
        self.may = threading.Event()

    def write(self, name: str, content: bytes) -> None:
        assert self.may.wait(PATIENCE)
        super().write(name, content)


@pytest.fixture
def files(tmp_path: Path) -> Slow:
    return Slow(Storage(str(tmp_path)).trial("t"))


@pytest.fixture
def reports(tiny: TrialConfig, images: Callable):
    return fit(build(tiny, seed=0), images(16), images(8), replace(tiny, epochs=3), seed=0)


def test_training_goes_on_while_storage_is_slow_and_does_not_reach_what_is_saved(files: Slow, reports):
    with Checkpoint(files, INPUTS) as checkpoint:
        first: EpochReport = next(reports)
        weight = first.state.model["head.5.weight"]
        before = weight.clone()
        checkpoint.write(first.state)
        next(reports)
        assert files.read("checkpoint.pt") is None
        assert not torch.equal(weight, before), "the state refers to live weights"
        files.may.set()
        checkpoint.wait()
        state = checkpoint.read()
        assert state is not None
        assert state.epoch == 1
        assert torch.equal(state.model["head.5.weight"], before)


def test_a_trial_that_is_closed_saves_its_epoch_first(files: Slow, reports):
    def trial():
        with Checkpoint(files, INPUTS) as checkpoint:
            for report in reports:
                checkpoint.write(report.state)
                yield report

    running = trial()
    next(running)
    threading.Timer(0.2, files.may.set).start()
    running.close()
    state = Checkpoint(files, INPUTS).read()
    assert state is not None
    assert state.epoch == 1


def test_what_kept_it_from_being_written_is_raised_at_the_next_wait(files: Slow, reports, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write", full)
    with Checkpoint(files, INPUTS) as checkpoint:
        checkpoint.write(next(reports).state)
        with pytest.raises(OSError, match="No space left"):
            checkpoint.wait()


def test_nothing_is_read_that_was_made_from_other_inputs(files: Slow, reports):
    files.may.set()
    with Checkpoint(files, INPUTS) as checkpoint:
        checkpoint.write(next(reports).state)
    assert Checkpoint(files, INPUTS | {"data": "4567"}).read() is None
