"""A checkpoint is written beside the training: from a copy, whole however the trial ends, and its failure is told."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from study.storage import Storage, TrialFiles
from study.trial.checkpoints import Checkpoint, snapshot
from wbc_model.config import TrialConfig
from wbc_model.networks.build import build
from wbc_model.training.train import EpochReport, fit

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


def test_training_goes_on_while_storage_is_slow(files: Slow, reports):
    with Checkpoint(files, INPUTS) as checkpoint:
        checkpoint.write(next(reports).state)
        next(reports)
        assert files.read("checkpoint.pt") is None
        files.may.set()
        checkpoint.wait()
        state = checkpoint.read()
        assert state is not None
        assert state.epoch == 1


def test_training_does_not_reach_what_is_saved(reports):
    first: EpochReport = next(reports)
    taken, live = snapshot(first.state), first.state.model["head.5.weight"]
    weight, moment = live.clone(), first.state.optimizer["state"][0]["exp_avg"].clone()
    next(reports)
    assert not torch.equal(live, weight), "the state refers to live weights"
    assert torch.equal(taken["model"]["head.5.weight"], weight)
    assert torch.equal(taken["optimizer"]["state"][0]["exp_avg"], moment)


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
