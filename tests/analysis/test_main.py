import csv
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from analysis.__main__ import main as whole_main
from search_spaces.own import own_tables
from search_spaces.paper import PROPOSED, TABLES, vary
from search_spaces.rehearsal import REHEARSAL
from search_spaces.table import configs
from study.storage import Storage
from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import Dataset
from wbc_model.scoring.metrics import ConfusionMatrix

NUMBERS = [table.number for table in TABLES]
LINES = ("cells", "costs")
"""Without predictions there is nothing to compare rows by."""
SUFFIXES = ("tex", "csv", "md", "html")


def main(arguments: list[str]) -> int:
    """Without figures, which test_figures.py draws."""
    return whole_main([*arguments, "--no-figures"])


def test_without_runs_it_says_so_and_exits_2(tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    assert main(["--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "build")]) == 2
    assert f"no finished run in {tmp_path / 'runs'}; make some: study/run.py" in capsys.readouterr().err
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--storage", "nowhere"], "nowhere is not a folder of runs"),
        (["--storage", ".", "--set", "epochs"], "--set wants KNOB=VALUE, got 'epochs'"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("error: ")
    assert printed.out == ""


def test_a_programming_error_shows_its_traceback_and_exits_1(tmp_path, make_record):
    record = make_record(PROPOSED)
    Storage(str(tmp_path)).trial(record.trial.id).finish(record)
    lines = [
        "import analysis.load, sys",
        "def choose(*_, **__):",
        "    raise ValueError('x')",
        "analysis.load.choose = choose",
    ]
    lines += ["from analysis.__main__ import main", f"sys.exit(main(['--storage', {str(tmp_path)!r}]))"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True,
                          check=False)  # fmt: skip
    told = done.stderr.splitlines()
    assert (done.returncode, told[0], told[-1]) == (1, "Traceback (most recent call last):", "ValueError: x")


def test_a_place_that_nobody_can_read_is_one_line_and_exit_2(capsys):
    assert main(["--storage", "sss://study"]) == 2
    assert "sss://study: Unsupported filesystem: 'sss'; wanted a folder, s3://" in capsys.readouterr().err


@pytest.mark.slow
def test_a_store_without_credentials_is_told_what_it_wants(monkeypatch, tmp_path, capsys):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    S3FileSystem.clear_instance_cache()  # else a client of another test, with its keys, is used
    assert main(["--storage", "s3://nobody/runs", "--out", str(tmp_path / "build")]) == 2
    assert "s3://nobody/runs cannot be read: Unable to locate credentials; name a folder" in capsys.readouterr().err
    S3FileSystem.clear_instance_cache()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_an_unreadable_folder_is_named(tmp_path, capsys):
    (tmp_path / "wandb").mkdir(mode=0)
    assert main(["--storage", str(tmp_path)]) == 2
    assert "wandb" in capsys.readouterr().err


def test_the_help_teaches_by_examples(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "python -m analysis --set epochs=2 image_size=64" in capsys.readouterr().out


@pytest.mark.slow
def test_one_run_of_the_paper_fills_its_rows_and_the_rest_is_named(tmp_path, make_record, write_run, capsys):
    write_run(tmp_path / "runs", make_record(PROPOSED))
    assert main(["--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "build")]) == 1
    printed = capsys.readouterr().out
    assert "Table 4: 1 of 6 rows\n  missing: α 0; α 0.4; α 0.6; α 0.8; α 1.0\n" in printed
    assert f"  to fill: study/run.py --tables 4 --storage {tmp_path / 'runs'}\n" in printed
    files = {f"table_{n}.{suffix}" for n in NUMBERS for suffix in ("tex", "csv", "md", "html")}
    files |= {f"table_3.{suffix}" for suffix in ("tex", "md", "html")}  # 1 and 2 want manifests
    files |= {"tables.tex", "numbers.tex", "references.bib", "report.html", "made_from.json", "misclassified"}
    files |= {f"{name}.csv" for name in LINES}
    assert {file.name for file in (tmp_path / "build").iterdir()} - {"tables.pdf"} == files
    rows = list(csv.DictReader((tmp_path / "build" / "table_4.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["OA"] for row in rows] == ["", "100.00", "", "", "", ""]


@pytest.mark.slow
def test_a_finished_trial_without_a_run_counts_by_its_record_and_is_told(tmp_path, make_record, write_run, capsys):
    rows = [make_record(config) for config in next(table for table in TABLES if table.number == "7").rows.values()]
    for record in rows[1:]:
        write_run(tmp_path / "runs", record)
    Storage(str(tmp_path / "runs")).trial(rows[0].trial.id).finish(rows[0])
    build = tmp_path / "build"
    build.mkdir()
    (build / "table_5.tex").write_text("of another study")
    assert main(["--storage", str(tmp_path / "runs"), "--out", str(build), "--tables", "7"]) == 0
    told = "1 finished trials have no W&B run that can be read; taken from their own records in "
    assert f"{told}{tmp_path / 'runs'}: {rows[0].trial.id}" in capsys.readouterr().out
    assert {file.name for file in build.glob("table_*")} == {f"table_7.{suffix}" for suffix in SUFFIXES}


@pytest.mark.slow
def test_a_run_that_cannot_be_read_alone_is_exit_1(tmp_path, make_record, write_run, capsys):
    for config in next(table for table in TABLES if table.number == "7").rows.values():
        write_run(tmp_path / "runs", make_record(config))
    chosen = ["--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "build"), "--tables", "7"]
    assert main(chosen) == 0
    damaged = tmp_path / "runs" / "wandb" / "offline-run-1-x" / "run-x.wandb"
    damaged.parent.mkdir()
    damaged.write_bytes(b"not a log")
    assert main(chosen) == 1
    assert f"not read: {damaged} is not a W&B log" in capsys.readouterr().out


def texts(build: Path) -> list[Path]:
    return [file for file in build.rglob("*") if file.is_file() and file.suffix not in (".pdf", ".jpg")]


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("alone", [False, True])
def test_a_record_of_other_classes_is_named_and_fills_nothing(alone, tmp_path, make_record, capsys):
    """As where a dataset got more cell types, and trials on it kept their ids."""
    old = make_record(vary(mixup_alpha=0.4))
    fewer = ConfusionMatrix(CELLS[1:], ((1, 0, 0, 0),) * 4)
    for record in (replace(old, test=fewer, validation=fewer), *([] if alone else [make_record(PROPOSED)])):
        Storage(str(tmp_path / "runs")).trial(record.trial.id).finish(record)
    status = main(["--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--tables", "4"])
    told = capsys.readouterr()
    assert f"trial {old.trial.id} has other classes of ldwbc (monocyte, " in told.out + told.err
    assert "--rerun-stale repeats it" in told.out + told.err
    assert status == 1 + alone


def test_of_several_studies_it_prints_the_one_that_is_named(tmp_path, make_record, write_run, capsys):
    for overrides in ({}, REHEARSAL):
        write_run(tmp_path / "runs", make_record(PROPOSED.override(overrides), overrides=overrides))
    here = ["--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "build")]
    assert main(here) == 2
    error = capsys.readouterr().err
    assert "holds 2 studies; choose one:\n  --set   (the paper itself)\n  --set trunks=tiny images=drawn" in error

    assert main([*here, "--set"]) == 1
    printed = capsys.readouterr().out
    assert "Table 4: 1 of 6 rows" in printed
    assert "rehears" not in printed.lower()
    built = "".join(file.read_text(encoding="utf-8") for file in texts(tmp_path / "build"))
    assert "rehears" not in built.lower()

    assert main([*here, "--set", *(f"{knob}={value}" for knob, value in REHEARSAL.items())]) == 1
    assert capsys.readouterr().out.startswith("Rehearsal: tiny networks on drawn or small images.")
    for file in texts(tmp_path / "build"):
        assert "rehears" in file.read_text(encoding="utf-8").lower() or file.name in ("tables.tex", "references.bib")


@pytest.mark.slow
def test_a_table_left_out_leaves_no_file_of_another_study(tmp_path, make_record, write_run, capsys):
    write_run(tmp_path / "runs", make_record(PROPOSED))
    here = ["--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "build")]
    main(here)
    main([*here, "--set", "mixup_alpha=0.4"])
    assert "Table 4: left out; varies what is being set (mixup_alpha)" in capsys.readouterr().out
    assert not list((tmp_path / "build").glob("table_4.*"))
    assert "table_4}" not in (tmp_path / "build" / "tables.tex").read_text()


@pytest.mark.slow
def test_a_seed_that_one_row_has_is_wanted_of_all(tmp_path, make_record, write_run, capsys):
    for config, seed in ((PROPOSED, 0), (PROPOSED, 7), (vary(mixup_alpha=0.4), 0)):
        write_run(tmp_path / "runs", make_record(config, seed))
    assert main(["--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "build")]) == 1
    printed = capsys.readouterr().out
    assert "Table 4: 2 of 6 rows" in printed
    assert "α 0.4 (seed 7)" in printed
    assert "3 of 92 finished" in (tmp_path / "build" / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_whole_study_exits_0(tmp_path, make_record, write_run):
    for config in configs(TABLES):
        write_run(tmp_path / "runs", make_record(config))
    command = [sys.executable, "-m", "analysis", "--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "build")]
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Table 4: 6 of 6 rows, best OA 100.00 (α 0), 100.00 (α 0.2)" in done.stdout
    assert "46 of 46 finished" in (tmp_path / "build" / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize(
    ("label", "status", "told"), [("β [ward]*", 0, "all tables"), ("淋巴", 1, "not made; pdflatex")]
)
def test_a_table_that_latex_refuses_is_told_by_the_exit_status(label, status, told, tmp_path, make_record, capsys):
    ward = Dataset(name="ward", label=label, classes=("[a", "*b"))
    for config in configs(own_tables((ward,))):
        record = make_record(config)
        record = replace(record, trial=replace(record.trial, tables=("D1",)))
        Storage(str(tmp_path / "runs")).trial(record.trial.id).finish(record)
    assert main(["--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "build")]) == status
    assert f"tables.pdf: {told}" in capsys.readouterr().out
    assert (tmp_path / "build" / "tables.pdf").exists() == (status == 0)
