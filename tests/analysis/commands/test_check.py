"""The files of a study of two rows, then something is changed, and must be found and named."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.__main__ import main
from search_spaces.paper import DATASETS, PROPOSED, vary
from study.evaluate.evaluation import Evaluation, write_evaluation
from study.storage import Storage

pytestmark = pytest.mark.slow  # real W&B runs
RAW = vary(mixup_alpha=0.0)
MADE_FROM = {"data": "da7a", "weights": {"resnet50": {"origin": "file", "sha256": "a" * 64}}, "code": "c0de"}


def counts(wrong: int) -> list[list[int]]:
    return [[20 - wrong, wrong, 0, 0, 0], *([20 * (i == j) for j in range(5)] for i in range(1, 5))]


@pytest.fixture
def written(tmp_path, make_record, write_run, capsys):
    """A folder of outputs, made from runs in storage."""
    for config, wrong in ((PROPOSED, 1), (RAW, 5)):
        write_run(tmp_path / "runs", make_record(config, counts=counts(wrong), provenance=MADE_FROM))
    main(["--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "build"), "--tables", "4"])
    capsys.readouterr()
    return tmp_path / "build"


def check(out: Path, capsys) -> tuple[int, str]:
    code = main(["check", "--out", str(out)])
    return code, capsys.readouterr().out


def rerun(out: Path, make_record, write_run, *, wrong: int = 1, **made_from) -> None:
    record = make_record(PROPOSED, counts=counts(wrong), provenance=MADE_FROM | made_from)
    for folder in (out.parent / "runs" / "wandb").glob(f"*-{record.trial.id}"):
        for file in [entry for entry in folder.rglob("*") if entry.is_file()]:
            file.unlink()
    write_run(out.parent / "runs", record)


def test_untouched_files_are_fresh_from_anywhere(written, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert check(written, capsys) == (0, f"{written}: as the runs have it, 2 trials\n")


@pytest.mark.parametrize("suffix", ["tex", "csv", "md", "html"])
def test_a_planted_digit_is_found_and_its_line_shown(written, capsys, suffix):
    file = written / f"table_4.{suffix}"
    text = file.read_text(encoding="utf-8")
    assert text.count("95.00") >= 1
    file.write_text(text.replace("95.00", "95.01", 1), encoding="utf-8")
    code, told = check(written, capsys)
    assert code == 1
    assert told.count("\n") == 1
    assert told.startswith(f"table_4.{suffix}: edited since it was written; line ")
    was, given = told.split(", the runs give ")
    assert "95.01" in was
    assert "95.01" not in given
    assert "95.00" in given


def test_an_edited_report_is_found(written, capsys):
    page = written / "report.html"
    page.write_text(page.read_text(encoding="utf-8").replace("95.00", "95.01"), encoding="utf-8")
    assert check(written, capsys) == (1, "report.html: edited since it was written\n")


@pytest.mark.parametrize(
    ("made_from", "told"),
    [
        ({"data": "da7b"}, "data of trial {id} was da7a, is da7b"),
        ({"code": "c0d3"}, "code of trial {id} was c0de, is c0d3"),
        ({"weights": {"resnet50": {"origin": "file", "sha256": "b" * 64}}}, "weights of trial {id} was resnet50=aaaa"),
        ({"wrong": 2}, "record of trial {id} was "),
    ],
)
def test_a_run_that_moved_on_is_named_with_its_row(written, capsys, make_record, write_run, made_from, told):
    rerun(written, make_record, write_run, **made_from)
    code, found = check(written, capsys)
    assert code == 1
    assert "Table 4, α 0.2: " + told.format(id=f"{PROPOSED.id}-s0") in found


def test_new_numbers_are_told_cell_by_cell(written, capsys, make_record, write_run):
    rerun(written, make_record, write_run, wrong=2)
    told = check(written, capsys)[1]
    files = "table_4.tex, table_4.md, table_4.html, table_4.csv"
    assert f"Table 4, α 0.2, OA: 99.00 (best), the runs give 98.00 (best) in {files}\n" in told
    assert told.count("Table 4, α 0.2, OA") == 1
    assert "cells.csv: line " in told


def test_a_trial_that_is_gone_and_a_file_that_is_gone_are_named(written, capsys):
    (written / "table_4.md").unlink()
    for file in (written.parent / "runs" / "wandb").glob(f"*-{RAW.id}-s0/*.wandb"):
        file.unlink()
    code, told = check(written, capsys)
    assert code == 1
    assert f"Table 4, α 0: its trial {RAW.id}-s0 is gone" in told
    assert "table_4.md is missing" in told
    assert "Table 4, α 0, OA: 95.00 †, the runs give – in table_4.tex, " in told


def test_a_model_that_was_tested_later_is_no_trial_that_is_gone(tmp_path, make_record, capsys):
    record = make_record(PROPOSED, 1, provenance=MADE_FROM)
    files = Storage(str(tmp_path / "runs")).trial(record.trial.id)
    files.finish(replace(record, files={"model.safetensors": "m"}))
    for dataset in DATASETS[1:]:
        evaluation = Evaluation(
            dataset=dataset.name, title=dataset.title, declaration=dataset.fingerprint, test_set=True,
            images=f"images of {dataset.name}", model="m", matrix=record.test, unknown=0, trained_on=0,
            validated_on=0, predictions="p", seconds=2.0, made={},
        )  # fmt: skip
        write_evaluation(files, evaluation)
    out = tmp_path / "build"
    words = ["--storage", str(tmp_path / "runs"), "--out", str(out), "--tables", "E6", "--no-figures"]
    assert main(words) == 1, "rows of other datasets are missing"
    assert "the model of trial" in (out / "table_E6.md").read_text(encoding="utf-8")
    capsys.readouterr()
    assert check(out, capsys) == (0, f"{out}: as the runs have it, 1 trial\n")
    (tmp_path / "runs" / "trials" / record.trial.id / "evaluations" / "bccd.json").unlink()
    code, told = check(out, capsys)
    assert code == 1
    assert re.search(r"Table E6, Trained on LDWBC: its trial \w+-s1 is gone", told)


def test_files_of_an_older_version_are_to_be_printed_again(written, capsys):
    file = written / "made_from.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    del kept["options"]
    file.write_text(json.dumps(kept), encoding="utf-8")
    assert main(["check", "--out", str(written)]) == 2
    told = capsys.readouterr().err
    assert "was written by an older version" in told
    assert f"print again, python -m analysis --out {written}" in told
    assert told.count("\n") == 1


def test_what_can_no_longer_be_printed_still_has_its_edited_files_named(written, capsys):
    (written / "table_4.tex").write_text("mine")
    for file in (written.parent / "runs" / "wandb").glob("*/*.wandb"):
        file.unlink()
    code, told = check(written, capsys)
    assert code == 1
    assert "cannot be printed any more: no finished run in " in told
    assert told.endswith("table_4.tex: edited since it was written\n")


def test_every_file_carries_what_it_was_made_from(written):
    told = f"trial {RAW.id}-s0, data da7a, weights resnet50=aaaaaaaaaaaaaaaa, code c0de, record "
    for suffix in ("tex", "csv", "md", "html"):
        assert told in (written / f"table_4.{suffix}").read_text(encoding="utf-8")


def test_without_files_there_is_nothing_to_compare(tmp_path, capsys):
    assert main(["check", "--out", str(tmp_path)]) == 2
    assert "made_from.json" in capsys.readouterr().err
