import shutil
from dataclasses import replace

import pytest

from analysis.__main__ import main
from analysis.output.latex import document
from analysis.output.pdf import compile_pdf
from analysis.stats.laboratory import detection
from search_spaces.own import own_tables
from search_spaces.paper import TABLES
from study.storage import Storage
from tests.analysis.simulated import Simulation
from wbc_model.datasets.dataset import Dataset

pytestmark = pytest.mark.slow
(TABLE,) = (table for table in TABLES if table.number == "12")


def printed(tmp_path, capsys, *words: str) -> tuple[int, dict[str, list[str]]]:
    """Exit status, and the cells of each row in all tables that were printed, by its first cells."""
    storage, out = str(tmp_path / "runs"), str(tmp_path / "out")
    status = main(["laboratory", "--storage", storage, "--out", out, *words])
    told = capsys.readouterr()
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.out.splitlines() if line[:1] == "|"]
    rows = {"err": [told.err]}
    for line in lines:
        if line[0] == "LISC" or not line[0]:
            rows.setdefault(line[1], []).extend(line[2:])
    return status, rows


@pytest.fixture
def lisc(tmp_path) -> Simulation:
    """Two seeds of each model of Table 12 on LISC; the predictions of one trial are lost."""
    simulation = Simulation((20, 30, 25, 40, 40), seed=0)
    for n, (labels, config) in enumerate(TABLE.rows.items()):
        for seed in (0, 1):
            if labels[0] == "LISC":
                record = simulation.trial(config, seed, worse=0.0 if n % 2 else 0.1)
                files = Storage(str(tmp_path / "runs")).trial(record.trial.id)
                if (labels[1], seed) != ("Jiang", 1):
                    files.write("predictions.npz", simulation.predictions[record.trial.id].to_npz())
                files.finish(record)
    return simulation


def test_each_model_has_its_agreement_and_a_lost_one_dashes(lisc, tmp_path, capsys):
    status, rows = printed(tmp_path, capsys, "--datasets", "lisc")
    assert status == 0
    assert rows["Jiang"] == ["–"] * (4 + 5 + 6 + 6)
    assert all("\\[" in cell for cell in rows["ResNet"][4:9])
    for suffix in ("tex", "md", "html"):
        assert "1000 slides of each trial" in (tmp_path / "out" / f"table_S3-12.{suffix}").read_text("utf-8")
    text = (tmp_path / "out" / "table_S2-12.md").read_text("utf-8")
    config = TABLE.rows["LISC", "ResNet"]
    ids = [f"{config.id}-s{seed}" for seed in (0, 1)]
    recalls = [100 * lisc.predictions[one].matrix.scores()["macro_recall"] for one in ids]
    assert f"| {sum(recalls) / 2:.2f} ± " in text
    areas = [detection(one.probabilities, one.truth, 1).area for one in map(lisc.predictions.get, ids)]
    assert f"| {100 * sum(areas) / 2:.2f} ± " in (tmp_path / "out" / "table_S4-12.md").read_text("utf-8")
    for name in ("reliability", "roc", "pr"):
        assert (tmp_path / "out" / f"figure_{name}-12.pdf").exists()
    assert "bold" not in text  # as of the table whose rows these are
    if shutil.which("pdflatex"):
        (tmp_path / "out" / "tables.tex").write_text(document([f"S{n}-12" for n in (2, 3, 4, 5)]), encoding="utf-8")
        assert compile_pdf(tmp_path / "out" / "tables.tex").told == "tables.pdf: all tables"


@pytest.mark.usefixtures("lisc")
def test_an_edited_number_a_changed_figure_and_a_lost_run_are_found_by_check(tmp_path, capsys):
    printed(tmp_path, capsys, "--datasets", "lisc", "--slide-seed", "1")
    check = ["check", "--out", str(tmp_path / "out")]
    assert main(check) == 0
    table, figure = tmp_path / "out" / "table_S3-12.md", tmp_path / "out" / "figure_roc-12.png"
    text = table.read_text("utf-8")
    number = next(cell for cell in text.split() if cell.startswith("+0."))
    table.write_text(text.replace(number, "+9.99", 1), encoding="utf-8")
    figure.write_bytes(figure.read_bytes() + b" ")
    capsys.readouterr()
    assert main(check) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("table_S3-12.md: edited since it was written; line ")
    assert told[1:] == ["figure_roc-12.png: edited since it was written"]
    config = TABLE.rows["LISC", "ResNet"]
    (tmp_path / "runs" / "trials" / f"{config.id}-s0" / "predictions.npz").unlink()
    assert main(check) == 1
    assert "Table S2-12, LISC ResNet, Kappa: " in capsys.readouterr().out


def test_each_table_can_be_read_alone(tmp_path, capsys):
    """One model of two datasets, with two seeds on LISC and one on BCCD, which has no basophils."""
    lisc, bccd = TABLE.rows["LISC", "Sharma"], TABLE.rows["BCCD", "Sharma"]
    for config, sizes, seeds in ((lisc, (9, 10, 8, 11, 11), (0, 1)), (bccd, (20, 30, 25, 40), (1,))):
        simulation = Simulation(sizes, seed=0)
        for record in (simulation.trial(config, seed) for seed in seeds):
            files = Storage(str(tmp_path / "runs")).trial(record.trial.id)
            files.write("predictions.npz", simulation.predictions[record.trial.id].to_npz())
            files.finish(record)
    out = tmp_path / "out"
    for command in ("laboratory", "robustness"):
        main([command, "--storage", str(tmp_path / "runs"), "--out", str(out), "--datasets", "lisc", "bccd"])
    told = capsys.readouterr().out
    for dataset, config, trials, seeds in (("lisc", lisc, "2 trials", (0, 1)), ("bccd", bccd, "1 trial", (1,))):
        every = " ".join(f"{config.id}-s{seed}" for seed in seeds)
        command = f"python -m study.evaluate {every} --on {dataset} --altered --storage {tmp_path / 'runs'}"
        assert f"not tested on altered images: {trials} of {dataset}: {command}\n" in told
    for name in ("S2-12", "S3-12", "S4-12", "S5-12", "E8-12"):
        text, typeset = (" ".join((out / f"table_{name}.{suffix}").read_text("utf-8").split())
                         for suffix in ("html", "tex"))  # fmt: skip
        assert " on the LISC and BCCD test sets</caption>" in text
        assert "<li>a: n = 1 (1).</li>" in text
        assert "<sup>a</sup>" in text
        assert "LISC 9/10/8/11/11 B/M/E/N/L, 49 in all; BCCD 20/30/25/40 M/E/N/L, 115 in all." in text
        assert "<li>B basophil, M monocyte, E eosinophil, N neutrophil, L lymphocyte.</li>" in text
        spread = "Pooled" if name == "S3-12" else "Mean ± sample SD"
        assert f"<li>{spread} over n = 2 seeds (0, 1).</li>" in text
        assert "has been retracted" in text
        assert ("A dash in a row with numbers: the test set lacks this cell type." in text) == (name[:2] in "S3S4S5")
        assert "10 of 12 rows missing" in text
        assert ("A row of dashes: not all of its trials were tested on altered images." in text) == (name == "E8-12")
        assert r"a: n = 1 (1).\par" in typeset
        if name[:2] in "S3S4S5":
            heads = ("Basophil", "Monocyte", "Eosinophil", "Neutrophil", "Lymphocyte")
            assert "".join(f'<th scope="col">{head}</th>' for head in heads) in text.replace("> <", "><")
    counts = (out / "table_S3-12.html").read_text("utf-8")
    assert "rest on these test images alone (LISC 49, BCCD 115)" in counts
    assert "a patient&#x27;s slides may be off by more" in counts


@pytest.mark.usefixtures("lisc")
def test_tables_are_printed_without_the_comments_that_their_files_have(tmp_path, capsys):
    main(["laboratory", "--storage", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--datasets", "lisc"])
    told = capsys.readouterr().out
    assert told.count("**Table S") == 4
    config = TABLE.rows["LISC", "ResNet"]
    assert f"trial {config.id}-s0" not in told
    assert "<!--" not in told
    for suffix in ("tex", "md", "html"):
        assert f"trial {config.id}-s0, data " in (tmp_path / "out" / f"table_S2-12.{suffix}").read_text("utf-8")


@pytest.mark.usefixtures("lisc")
def test_slides_are_drawn_by_the_seed_given(tmp_path, capsys):
    first, again, other = (printed(tmp_path, capsys, "--datasets", "lisc", "--slide-seed", seed)[1] for seed in "001")
    assert first == again != other


@pytest.mark.usefixtures("lisc")
def test_missing_rows_are_exit_1_and_other_classes_exit_2(tmp_path, capsys):
    assert printed(tmp_path, capsys)[0] == 1
    ward = Dataset(name="ward", classes=("band", "blast"))
    simulation = Simulation((20, 20), seed=0)
    record = simulation.trial(next(iter(own_tables((ward,))[0].rows.values())))
    record = replace(record, trial=replace(record.trial, tables=("D1",)))
    Storage(str(tmp_path / "runs")).trial(record.trial.id).finish(record)
    status, told = printed(tmp_path, capsys, "--tables", "D1")
    assert status == 2
    assert "no share of band, blast in blood is assumed" in told["err"][0]
