"""Text of strangers in every field of a record and every name: what each output makes of it."""

import csv
import io
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markdown_it import MarkdownIt

from analysis.__main__ import main as analysis
from analysis.commands.check import main as check
from search_spaces.own import own_tables
from study.plan import RunRecord, Trial
from study.reconcile import main as reconcile
from study.run import main as run
from study.scheduling.failures import Failure
from study.status import main as status
from study.storage import Storage, write_plan
from tests.analysis.conftest import MakeRecord
from tests.analysis.report.test_page import Page
from wbc_model.datasets.dataset import Dataset
from wbc_model.scoring.predictions import Predictions

pytestmark = pytest.mark.slow

SECRET = "DISCLOSED"
HOSTILE = (
    "=1+1\n\\input{secret}\r\\input{secret}\u2028\\input{secret} % & # _ { } ~ ^ $\\input{secret}$ \\\\ --\n\n* [0\n"
    "</script><script>alert(1)</script>--><img src=x onerror=alert(2)><!-- \"'onload=alert(3) "
    "| `a` **b** [c](javascript:d) ![e](f) <g> &lt; \x1b]0;h\x07\x1b[2J\x9b31m\u202e \ud800"
)
CLASSES = tuple(HOSTILE.replace("\ud800", "") + letter for letter in "=+-")
"""Without what cannot be a class: JSON has no half of a character."""
DATASET = Dataset(name="ward", label=CLASSES[0], classes=CLASSES, source=CLASSES[0], terms=CLASSES[0])


def planted(value: Any, whole: Any, at: tuple[Any, ...] = ()) -> Any:
    """A record's JSON with hostile text in place of each string in `value` that may hold anything."""
    if isinstance(value, dict):
        items: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list):
        items = enumerate(value)
    elif isinstance(value, str):
        changed = with_leaf(whole, at, HOSTILE)
        return changed if accepts(changed) else whole
    else:
        return whole
    for key, each in items:
        whole = planted(each, whole, (*at, key))
    return whole


def with_leaf(whole: Any, at: tuple[Any, ...], leaf: str) -> Any:
    changed = inner = json.loads(json.dumps(whole))
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = leaf
    return changed


def accepts(value: dict[str, Any]) -> bool:
    """Whether it is still the record of the same trial."""
    try:
        record = RunRecord.from_json(value)
    except Exception:  # noqa: BLE001 - whatever it objects to
        return False
    return record.trial.config.dataset == DATASET and not record.outdated


def record_of(trial: Trial, make_record: MakeRecord) -> RunRecord:
    made = {
        "git": "9e9cce6", "code": "abc", "data": "abc", "node": "n", "device": "cpu", "versions": {"torch": "2"},
        "weights": {"resnet50": {"sha256": "abc", "origin": "file a"}}, HOSTILE: "key",
    }  # fmt: skip
    record = replace(
        make_record(trial.config, counts=[[9, 1, 0], [0, 10, 0], [2, 0, 8]], provenance=made),
        trial=replace(trial, tables=("D1",)),
        curves=[{"epoch": 0.0, "train_accuracy": 0.5, "validation_accuracy": 0.5, "train_loss": 1.0}],
    )
    value = json.loads(json.dumps(record.to_json()))
    return RunRecord.from_json(planted(value["provenance"], value, ("provenance",)))


def predictions_of(record: RunRecord) -> bytes:
    calls = [(i, j) for i in range(3) for j in range(3) for _ in range(record.test.counts[i][j])]
    truth, called = np.array(calls).T
    ids = np.array([f"{HOSTILE}{i}.png" for i in range(len(truth))])
    probabilities = np.eye(3, dtype=np.float32)[called]
    return Predictions(classes=CLASSES, ids=ids, truth=truth, probabilities=probabilities).to_npz()


@pytest.fixture
def storage(tmp_path: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a study of a hostile dataset with one failed trial."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = tmp_path / "ru\x1b[2Jns\n=$x$#"
    table, *_ = own_tables((DATASET,))
    trials = [Trial(config, 0, ("D1",)) for config in table.rows.values()]
    for trial in trials[:-1]:
        record = record_of(trial, make_record)
        files = Storage(str(folder)).trial(record.trial.id)
        files.write("predictions.npz", predictions_of(record))
        files.write("model.safetensors", b"")
        files.finish(record)
    Storage(str(folder)).trial(trials[-1].id).write_failure(Failure("code", HOSTILE, HOSTILE, HOSTILE, 0))
    write_plan(Storage(str(folder)), trials)
    return folder


def test_no_output_obeys_what_it_prints(storage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "build"
    out.mkdir()
    (out / "secret.tex").write_text(SECRET)
    assert analysis(["--storage", str(storage), "--out", str(out)]) == 1
    assert check(["--out", str(out)]) == 0
    assert status(["--storage", str(storage)]) == 1
    assert reconcile(["--storage", str(storage)]) == 1
    assert run(["--plan", "--storage", str(storage), "--tables", "4"]) == 0
    printed = "".join(capsys.readouterr())
    assert "\\u001b" in printed
    assert "\n* [0" not in printed
    assert not re.findall(r"[^\n\t\x20-\x7e\xa0-\u2027\u202f-\ud7ff\ue000-\U0010ffff]", printed)
    for file in out.rglob("*.csv"):
        check_csv(file.read_text(encoding="utf-8"))
    for file in out.rglob("*.md"):
        check_markdown(file.read_text(encoding="utf-8"))
    pages = [*out.rglob("*.html")]
    assert len(pages) > 7
    for file in pages:
        check_html(file.read_text(encoding="utf-8"))
    check_pdf(out)


def check_csv(text: str) -> None:
    """Each cell is a number or no formula, and each line has every column."""
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert {len(line) for line in lines} == {len(lines[0])}
    for cell in (cell for line in lines for cell in line):
        assert cell.isprintable()
        assert cell[:1] not in set("=+-@") or re.fullmatch(r"-?[\d.e-]+", cell)


def check_markdown(text: str) -> None:
    """Nothing but a table, a list and a comment."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    kinds = {token.type for each in tokens for token in (each, *(each.children or ()))}
    assert not {kind for kind in kinds if kind.startswith(("link", "image", "code", "fence", "heading"))}
    markup = [token.content for each in tokens for token in (each, *(each.children or ())) if "html_" in token.type]
    assert all(re.fullmatch(r"</?sup>|<!--(?:(?!--).)*-->\s*", each, re.DOTALL) for each in markup)
    assert all(map(str.isprintable, text.splitlines()))


def check_html(text: str) -> None:
    """No element or attribute but the page's own, and what it holds as JSON is JSON."""
    page = Page(text)
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert not [
        v for _, attributes in page.elements for n, v in attributes.items() if n == "href" and "javascript" in v
    ]
    assert len(page.of("script")) in (0, 3)
    assert all(str(image["src"]).startswith(("data:image/", "images/")) for image in page.of("img"))
    for held in re.findall(r'<script type="application/json" id="(?:rows|answers)">(.*?)</script>', text, re.DOTALL):
        assert json.loads(held)


def check_pdf(out: Path) -> None:
    shown = subprocess.run(["pdftotext", "tables.pdf", "-"], cwd=out, capture_output=True, text=True, check=True)
    assert "input{secret}" in re.sub(r"\s", "", shown.stdout)
    assert SECRET not in shown.stdout
    for figure in out.glob("figure_*.tex"):
        assert all(line.startswith(("%", "\\")) for line in figure.read_text(encoding="utf-8").splitlines())
