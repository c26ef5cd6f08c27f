"""A checkpoint is written beside the training: from a copy, whole however the trial ends, and its failure is told."""

import io
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from study.storage import Storage, TrialFiles
from study.trial.checkpoints import Checkpoint, snapshot
from wbc_model.config import TrialConfig
from wbc_model.errors import Damaged
from wbc_model.networks.build import build
from wbc_model.training.train import EpochReport, fit

INPUTS = {"data": "0123", "weights": {}}
ROWS = [{"epoch": 0}]
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
    with Checkpoint(files, INPUTS, device="cpu") as checkpoint:
        checkpoint.write(next(reports).state, ROWS)
        next(reports)
        assert files.read("checkpoint.pt") is None
        files.may.set()
        checkpoint.wait()
        resumed = checkpoint.read()
        assert resumed is not None
        assert (resumed.state.epoch, resumed.rows) == (1, ROWS)


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
        with Checkpoint(files, INPUTS, device="cpu") as checkpoint:
            for report in reports:
                checkpoint.write(report.state, ROWS)
                yield report

    running = trial()
    next(running)
    threading.Timer(0.2, files.may.set).start()
    running.close()
    resumed = Checkpoint(files, INPUTS, device="cpu").read()
    assert resumed is not None
    assert resumed.state.epoch == 1


def test_what_kept_it_from_being_written_is_raised_at_the_next_wait(files: Slow, reports, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write", full)
    with Checkpoint(files, INPUTS, device="cpu") as checkpoint:
        checkpoint.write(next(reports).state, ROWS)
        with pytest.raises(OSError, match="No space left"):
            checkpoint.wait()


def test_nothing_is_read_that_was_made_from_other_inputs(files: Slow, reports):
    files.may.set()
    with Checkpoint(files, INPUTS, device="cpu") as checkpoint:
        checkpoint.write(next(reports).state, ROWS)
    assert Checkpoint(files, INPUTS | {"data": "4567"}, device="cpu").read() is None


@pytest.fixture
def written(files: Slow, reports) -> bytes:
    """The content of a checkpoint after an epoch."""
    files.may.set()
    with Checkpoint(files, INPUTS, device="cpu") as checkpoint:
        checkpoint.write(next(reports).state, ROWS)
    return files.read("checkpoint.pt") or b""


def test_a_changed_bit_is_noticed_or_changes_nothing(files: Slow, written: bytes):
    """torch itself compares no checksums: it loads most such files."""
    draw, noticed = random.Random(0), 0
    whole = Checkpoint(files, INPUTS, device="cpu").read()
    for _ in range(60):
        at = draw.randrange(len(written))
        files.write("checkpoint.pt", written[:at] + bytes([written[at] ^ 1 << draw.randrange(8)]) + written[at + 1 :])
        try:
            found = Checkpoint(files, INPUTS, device="cpu").read()
        except Damaged:
            noticed += 1
            continue
        assert found
        assert whole
        assert found.rows == whole.rows
        torch.testing.assert_close(found.state.to_dict(), whole.state.to_dict(), rtol=0, atol=0)
    assert noticed > 40


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04", None])
def test_what_is_no_checkpoint_is_named(content: bytes | None, files: Slow, written: bytes):
    files.write("checkpoint.pt", written[: len(written) // 2] if content is None else content)
    with pytest.raises(Damaged, match=r"checkpoint\.pt is damaged: "):
        Checkpoint(files, INPUTS, device="cpu").read()


def test_that_of_another_trial_is_not_read(files: Slow, written: bytes):
    other = Storage(str(files.folder.parent.parent)).trial("other")
    other.write("checkpoint.pt", written)
    with pytest.raises(Damaged, match="it is the checkpoint of trial t"):
        Checkpoint(other, INPUTS, device="cpu").read()


def test_one_of_an_older_version_needs_as_many_rows_in_the_epoch_log(files: Slow, written: bytes):
    content = torch.load(io.BytesIO(written))
    del content["rows"], content["trial"]
    older = io.BytesIO()
    torch.save(content, older)
    files.write("checkpoint.pt", older.getvalue())
    with pytest.raises(Damaged, match="it has 1 epochs, and the epoch log 0"):
        Checkpoint(files, INPUTS, device="cpu").read()
    files.write_epochs([*ROWS, {"epoch": 1}])
    resumed = Checkpoint(files, INPUTS, device="cpu").read()
    assert resumed is not None
    assert resumed.rows == ROWS
