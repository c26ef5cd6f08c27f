"""The command that predicts: what it writes, prints and returns."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wbc_model.choices import Trunks
from wbc_model.config import TrialConfig
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.inference import count, load, predict
from wbc_model.models import Baseline
from wbc_model.predict import main

Keep = Callable[..., Path]


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_files_agree_with_the_api(keep: Keep, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    trial, out = keep(threshold=0.21), tmp_path / "out"
    assert main([str(trial), str(cells), "--out", str(out)]) == 0
    calls = predict(load(trial), cells).calls
    rows, lines = table(out / "predictions.csv"), (out / "predictions.jsonl").read_text().splitlines()
    for call, row, line in zip(calls, rows, map(json.loads, lines), strict=True):
        assert row["file"] == line["file"] == call.file
        assert row["class"] == line["class"] == call.cell
        assert float(row["probability"]) == line["probability"] == call.probability
        assert (row["sure"] == "True") is line["sure"] is call.sure
        assert line["box"] is call.box is None
        assert tuple(line["probabilities"].values()) == call.probabilities
        assert float(row[f"p {call.cell}"]) == call.probability
    printed = capsys.readouterr().out
    assert str(count(predict(load(trial), cells))) in printed
    assert len(list((out / "annotated").iterdir())) == 6


def test_a_photographs_counts_page_and_heat_maps(keep: Keep, field: Path, tmp_path: Path):
    out = tmp_path / "out"
    assert main([str(keep()), str(field), "--photographs", "--grad-cam", "--out", str(out)]) == 0
    rows = table(out / "predictions.csv")
    assert [int(row["left"]) < int(row["right"]) for row in rows] == [True, True]
    counts = table(out / "counts.csv")
    assert {row["slide"] for row in counts} == {"(all)", str(field)}
    assert sum(int(row["cells"]) for row in counts if row["slide"] == "(all)") == 2
    assert {row["class"]: row["reference low"] for row in counts}["neutrophil"] == "50"
    drawn = np.asarray(Image.open(out / "annotated/00001-field.jpg"), np.int16)
    plain = np.asarray(Image.open(field), np.int16)
    assert np.abs(drawn[: plain.shape[0]] - plain).max() > 100  # something is drawn on it
    assert len(list((out / "gradcam").iterdir())) == 2
    page = (out / "index.html").read_text()
    assert page.count("<img") == 3
    assert "http" not in page.replace("http-equiv", "")  # nothing is loaded from elsewhere


def test_a_rehearsals_model_says_so_everywhere(
    keep: Keep, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert main([str(keep()), str(cells), "--out", str(out)]) == 0
    assert "REHEARSAL" in capsys.readouterr().out
    assert "Rehearsal: " in (out / "index.html").read_text()
    for name in ("predictions.csv", "counts.csv"):
        assert {row["rehearsal"] for row in table(out / name)} == {"True"}
    assert json.loads((out / "predictions.jsonl").read_text().splitlines()[0])["rehearsal"] is True
    picture = Image.open(next((out / "annotated").iterdir()))
    assert picture.getpixel((picture.width - 3, picture.height - 3))[0] > 150  # the red band


def test_damaged_pictures_are_skipped_with_status_1(
    keep: Keep, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert main([str(keep()), str(cells), str(tmp_path / "bad.png"), "--out", str(tmp_path / "out")]) == 1
    assert f"skipped: {tmp_path / 'bad.png'}: cannot be decoded" in capsys.readouterr().err
    assert "bad.png" in (tmp_path / "out/index.html").read_text()
    assert len(table(tmp_path / "out/predictions.csv")) == 6


def test_names_of_files_are_escaped(keep: Keep, cells: Path, tmp_path: Path):
    name = '<script>alert(1)</script> & "it\'s" é\n.png'.replace("/", "∕")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes((cells / "slide0_0.png").read_bytes())
    (tmp_path / "in" / "<b>.png").touch()
    assert main([str(keep()), str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--slide-pattern", "(<.*)"]) == 1
    page = (tmp_path / "out/index.html").read_text()
    assert "<script" not in page
    assert "<b>.png" not in page
    assert name.replace("\n", r"\u000a") in unescape(page)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{trial}", "{cells}/none.png"], "no such file"),
        (["{cells}", "{cells}"], "no model.safetensors in it"),
        (["{trial}", "{cells}", "--device", "cuda"], "finds no such device"),
        (["{trial}", "{cells}", "--margin", "-1"], "--margin -1.0: wanted"),
        (["{trial}", "{cells}", "--slide-pattern", "(patient)"], "names no slide"),
        (["{trial}", "{cells}", "--out", "{cells}"], "exists already"),
    ],
)
def test_bad_input_is_status_2_and_writes_nothing(
    words: list[str], told: str, keep: Keep, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main([word.format(trial=keep(), cells=cells) for word in words]) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_network_without_a_map_has_no_heat_map(keep: Keep, cells: Path, tmp_path: Path, capsys):
    config = TrialConfig(model=Baseline("timm:vit_tiny_patch16_224.augreg_in21k", "random"), trunks=Trunks.TINY,
                         image_size=64, dataset=BCCD)  # fmt: skip
    words = [str(keep(config)), str(cells), "--out", str(tmp_path / "out")]
    assert main([*words, "--grad-cam"]) == 2
    assert "leave out --grad-cam" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(words) == 0


def test_a_model_trained_on_whole_pictures_is_warned_of(keep: Keep, field: Path, tmp_path: Path, tiny: TrialConfig):
    for dataset, warned in ((BCCD, False), (tiny.dataset, True)):
        out = tmp_path / dataset.name
        assert main([str(keep(replace(tiny, dataset=dataset))), str(field), "--photographs", "--out", str(out)]) == 0
        assert ("an unknown margin" in (out / "index.html").read_text()) is warned


def test_the_docs_three_lines_run(keep: Keep, field: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    page = Path(__file__).parents[3] / "docs" / "models.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("runs/trials").mkdir(parents=True)
    shutil.copytree(keep(), "runs/trials/1af0ed25a7-s0")
    shutil.copytree(field.parent, "smears")
    names: dict[str, Any] = {}
    exec(compile(block, page.name, "exec"), names)
    assert "neutrophil" in capsys.readouterr().out
    assert len(names["calls"].calls) == 2
