"""The inputs of a rehearsal are made once, however many launches begin in one storage."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from upath import UPath

from study import rehearsal
from study.plan import Trial
from study.settings import settings_for
from study.storage import write
from study.trial.inputs import check_inputs
from wbc_model.config import TrialConfig
from wbc_model.datasets.find import DRAWN_MARK
from wbc_model.datasets.lisc import DATASET as LISC


def test_of_two_launches_at_once_one_draws_and_the_other_waits(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(rehearsal, "SHARE", 1 / 600)
    monkeypatch.setattr(rehearsal, "SIDE", 24)
    settings = settings_for(rehearse=True, storage=str(tmp_path / "runs"), data=None, weights=None, cache=tmp_path)
    trial = Trial(tiny.override({"images": "drawn"}), 0)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(rehearsal.set_up, [trial], settings) for _ in range(2)]
    assert [each.result() for each in both] == [None, None]
    assert capsys.readouterr().err.count("drawing four datasets") == 1


@pytest.mark.slow
def test_in_a_store_the_inputs_are_uploaded_once_and_the_mark_of_whole_drawings_last(
    tiny: TrialConfig, tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    monkeypatch.setattr(rehearsal, "DATASETS", [LISC])
    monkeypatch.setattr(rehearsal, "SIDE", 24)
    storage = f"{bucket}/{tmp_path.name}"
    settings = settings_for(rehearse=True, storage=storage, data=None, weights=None, cache=tmp_path)
    config = tiny.override({"images": "drawn", "model.resnet": "imagenet"})
    trial = Trial(replace(config, dataset=LISC), 0)
    written = []

    def killed(file: UPath, content: bytes) -> None:
        written.append(file)
        if file.name == DRAWN_MARK:
            raise KeyboardInterrupt
        write(file, content)

    monkeypatch.setattr(rehearsal, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        rehearsal.set_up([trial], settings)
    monkeypatch.setattr(rehearsal, "write", write)
    assert written[-1].name == DRAWN_MARK
    for _ in range(2):
        rehearsal.set_up([trial], settings)
    told = capsys.readouterr().err
    assert told.count("drawing four datasets") == 2
    assert told.count("as its pre-trained weights") == 1
    assert told.count("uploading") == 2
    assert check_inputs([trial], settings) == []
