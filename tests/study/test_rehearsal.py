"""The inputs of a rehearsal are made once, however many launches begin in one storage."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from study import rehearsal
from study.plan import Trial
from study.settings import settings_for
from wbc_model.config import TrialConfig


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
