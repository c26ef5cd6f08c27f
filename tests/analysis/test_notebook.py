"""The API for notebooks: what docs/notebook.md shows."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import analysis
from analysis.load import Study
from analysis.output.files import outputs
from analysis.output.frames import to_csv
from search_spaces.paper import TABLES
from study.storage import Storage
from wbc_model.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "notebook.md"
(BRANCHES,) = (table for table in TABLES if table.number == "7")


@pytest.fixture
def storage(tmp_path: Path, make_record, save_predictions) -> Path:
    """Table 7, whose first row makes the most errors and whose last makes none."""
    records = []
    for wrong, config in zip((3, 2, 0), BRANCHES.rows.values(), strict=True):
        counts = [[10 * (i == j) for j in range(5)] for i in range(5)]
        counts[0] = [10 - wrong, wrong, 0, 0, 0]
        records.append(make_record(config, counts=counts))
        files = Storage(str(tmp_path / "runs")).trial(records[-1].trial.id)
        files.write("predictions.npz", save_predictions(records[-1]))
        files.finish(records[-1])
    return tmp_path / "runs"


def test_the_page_s_code_runs(storage: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(storage.parent)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), names)
    assert isinstance(names["study"], Study)
    assert len(blocks) == 4


def test_the_frames_hold_numbers(storage: Path):
    study = analysis.read(str(storage), tables=["7"])
    assert study.table("7")["OA"].tolist() == [94.0, 96.0, 100.0]
    cells = study.cells()
    assert len(cells) == 3 * len(BRANCHES.columns)
    assert cells[cells["best"] & (cells["score"] == "OA")]["row"].tolist() == ["RM DM SCAM"]
    for frame, column in (
        (study.table("7"), "OA"),
        (cells, "mean"),
        (cells, "difference low"),
        (study.deltas(), "p"),
        (study.power(), "detectable"),
    ):
        assert pd.api.types.is_float_dtype(frame[column])
    assert sorted(study.runs()["OA"]) == [94.0, 96.0, 100.0]


def test_the_csv_files_are_the_frames(storage: Path):
    study = analysis.read(str(storage), tables=["7"])
    files = outputs(study)
    frames = {"table_7": study.table("7"), "cells": study.cells(), "deltas": study.deltas(), "power": study.power()}
    for name, frame in (frames | {"costs": study.runs()}).items():
        assert files[f"{name}.csv"] == to_csv(frame)
        assert len(files[f"{name}.csv"].splitlines()) == 1 + len(frame)


def test_bad_input_is_told(storage: Path):
    with pytest.raises(InputError, match="no Table 5 among those read: 7"):
        analysis.read(str(storage), tables=["7"]).table("5")
    with pytest.raises(InputError, match="no finished run in"):
        analysis.read(str(storage / "trials"))


def test_importing_the_package_loads_no_pandas():
    code = "import sys, analysis; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
