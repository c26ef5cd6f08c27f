import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.latex import document, escape, render
from analysis.tables import fill
from analysis.which import tables_under
from search_spaces.extensions import EXTENSIONS
from search_spaces.paper import PROPOSED, TABLES, vary
from search_spaces.table import configs

BY_NUMBER = {table.number: table for table in TABLES}
REHEARSAL = {"images": "drawn", "trunks": "tiny", "epochs": 2, "image_size": 64}


def body(tex: str) -> list[str]:
    """Lines between the heading's rule and the last."""
    return tex.split("\\midrule\n", 1)[1].split("\n\\bottomrule")[0].splitlines()


def counts(wrong: int) -> list[list[int]]:
    return [[99 - wrong, wrong, 0, 0, 0], *([99 * (i == j) for j in range(5)] for i in range(1, 5))]


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("image_size", r"image\_size"),
        ("50 % & #1 $", r"50 \% \& \#1 \$"),
        ("{a}", r"\{a\}"),
        ("a\\b~c^d", r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d"),
        ("CAM // SAM", "CAM // SAM"),
        ("α ± –", r"$\alpha$ $\pm$ --"),
        ("✓", r"\checkmark{}"),
        ("a<b>c|d", r"a\textless{}b\textgreater{}c\textbar{}d"),
    ],
)
def test_signs_that_mean_something_to_latex_are_escaped(text, tex):
    assert escape(text) == tex


def test_a_table_is_the_rows_best_in_bold_missing_as_dashes(make_record):
    alpha = {a: vary(mixup_alpha=a) for a in (0.0, 0.4)}
    records = [make_record(PROPOSED), make_record(alpha[0.0], counts=counts(9)), make_record(alpha[0.4])]
    assert body(render(fill(BY_NUMBER["4"], records)))[:4] == [
        r"0 & 98.18 & 98.33 & 98.18 & 98.18 \\",
        r"0.2 & \textbf{100.00} & \textbf{100.00} & \textbf{100.00} & \textbf{100.00} \\",
        r"0.4 & \textbf{100.00} & \textbf{100.00} & \textbf{100.00} & \textbf{100.00} \\",
        r"0.6 & -- & -- & -- & -- \\",
    ]


def test_a_mean_and_its_deviation_are_bold_as_one(make_record):
    records = [make_record(PROPOSED, seed) for seed in (0, 1)] + [make_record(vary(mixup_alpha=0.0), counts=counts(9))]
    assert r"\textbf{100.00 $\pm$ 0.00}" in render(fill(BY_NUMBER["4"], records))


def test_a_label_equal_to_the_one_above_is_blank_and_datasets_are_ruled_off():
    lines = body(render(fill(BY_NUMBER["11"], [])))
    assert [line.split(" & ")[0] for line in lines if "&" in line] == [
        *("LISC", "", "", "", "", ""),
        *("BCCD", "", "", "", "", ""),
        *("Raabin", "", "", "", "", ""),
    ]
    assert [i for i, line in enumerate(lines) if line == r"\midrule"] == [6, 13]


def test_ticks_are_never_blanked():
    rows = {("✓", "a"): PROPOSED, ("✓", "b"): PROPOSED}
    lines = body(render(fill(replace(BY_NUMBER["7"], stub=("RM", "x"), rows=rows), [])))
    assert [line.split(" & ")[0] for line in lines] == [r"\checkmark{}", r"\checkmark{}"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.number)
def test_braces_balance_and_every_line_has_every_column(table, make_record):
    records = [make_record(config, seed) for config in configs([table]) for seed in (0, 1)]
    tex = render(fill(table, records))
    assert re.sub(r"\\[{}]", "", tex).count("{") == re.sub(r"\\[{}]", "", tex).count("}")
    rows = [line for line in tex.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") + 1 for line in rows} == {len(table.stub) + len(table.columns)}
    assert len(rows) == len(table.rows) + 1
    assert rf"\label{{tab:{table.number}}}" in tex


def test_notes_tell_seeds_missing_rows_and_what_headings_mean(make_record):
    tex = render(fill(BY_NUMBER["6"], [make_record(PROPOSED, 3)]))
    assert "One seed (3)." in tex
    assert "7 of 8 rows missing." in tex
    assert "B basophil, M monocyte, E eosinophil, N neutrophil, L lymphocyte." in tex
    assert "OA accuracy, AP macro precision, AR macro recall, AF1 macro F1." in render(fill(BY_NUMBER["4"], []))


def test_notes_name_the_rows_with_other_seeds(make_record):
    records = [make_record(PROPOSED, seed) for seed in (0, 1)] + [make_record(vary(mixup_alpha=0.4))]
    assert r"Mean $\pm$ sample SD over 2 seeds (0, 1); other seeds: $\alpha$ 0.4 (0)." in render(
        fill(BY_NUMBER["4"], records)
    )


def test_notes_explain_the_dash_of_a_cell_type_that_a_dataset_lacks(make_record):
    bccd = next(config for (dataset, _), config in BY_NUMBER["12"].rows.items() if dataset == "BCCD")
    note = "A dash in a row with numbers: the dataset has no such cell type."
    assert note in render(fill(BY_NUMBER["12"], [make_record(bccd)]))
    assert note not in render(fill(BY_NUMBER["12"], [make_record(PROPOSED)]))


def test_a_rehearsal_and_a_departure_are_told():
    rehearsal = render(fill(tables_under(REHEARSAL)[0][0], [], overrides=REHEARSAL))
    assert r"\caption{REHEARSAL. Effect of the mixup parameter (\%)}" in rehearsal
    assert "Rehearsal: tiny networks on drawn images. These numbers say nothing about the paper." in rehearsal
    departure = render(fill(BY_NUMBER["4"], [], overrides={"epochs": 2, "image_size": 64}))
    assert r"Departs from the paper: epochs=2, image\_size=64." in departure
    assert "REHEARSAL" not in departure


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("overrides", [{}, REHEARSAL], ids=["paper", "rehearsal"])
def test_all_tables_compile_and_none_is_too_wide(tmp_path: Path, make_record, overrides):
    tables, _ = tables_under(overrides)
    records = [make_record(c, s, overrides=overrides) for c in configs(tables)[:40] for s in (0, 1, 2)]
    for table in tables:
        tex = render(fill(table, records, seeds=(0, 1, 2), overrides=overrides))
        (tmp_path / f"table_{table.number}.tex").write_text(tex, encoding="utf-8")
    (tmp_path / "tables.tex").write_text(document([table.number for table in tables]), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.findall(r"(?:Over|Under)full.*", (tmp_path / "tables.log").read_text(errors="replace"))
    assert (tmp_path / "tables.pdf").stat().st_size > 10_000


@pytest.mark.parametrize("table", EXTENSIONS, ids=lambda table: table.number)
def test_tables_beyond_the_papers_are_printed_under_their_numbers(table):
    assert rf"\label{{tab:{table.number}}}" in render(fill(table, []))
    assert rf"\renewcommand{{\thetable}}{{{table.number}}}\input{{table_{table.number}}}" in document([table.number])
