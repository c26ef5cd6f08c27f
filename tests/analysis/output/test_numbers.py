import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.output.frames import cell_lines
from analysis.output.numbers import quotes_of, render
from analysis.stats.evidence import gather
from analysis.stats.predictions import PredictionLookup
from analysis.tables.fill import fill
from analysis.tables.layout import TableLayout, head, lay_out, plain_rows
from search_spaces.paper import PROPOSED, TABLES, vary
from wbc_model.choices import Attention
from wbc_model.models import TwoBranch

BY_NUMBER = {table.number: table for table in TABLES}
ODD = (
    "50 % & #1", "{b", "b", "\\input{secret}", "$x$_1 ~^^41", "α ± 0.2", "[a]*", "a  b\tc", "Ünï 'q' \"", "-- `x`",
    "<|>:!?", "", "淋巴",
)  # fmt: skip
ACTIVE = "".join(
    rf"\AtBeginDocument{{\catcode`{sign}=13 }}{{\catcode`{sign}=13 \gdef{sign}{{\string{sign}}}}}" "\n"
    for sign in ':;!?"'
)
"""As babel makes these signs in French and German."""
DOCUMENT = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
%s\begin{document}
\section{%s}
\begin{figure}\caption{%s}\end{figure}
%s
\end{document}
"""

needs_latex = pytest.mark.skipif(
    not (shutil.which("pdflatex") and shutil.which("pdftotext")), reason="pdflatex or pdftotext is not installed"
)


def typeset(folder: Path, *quotes: str, preamble: str = "") -> tuple[str, str]:
    """The text of a document that quotes numbers, compiled twice, and what LaTeX said."""
    lines = "\n\n".join(f"<{quote}>" for quote in quotes)
    start = f"{preamble}\\input{{numbers}}\n"
    (folder / "paper.tex").write_text(DOCUMENT % (start, quotes[0], quotes[0], lines), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "paper.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    shown = subprocess.run(["pdftotext", "-layout", "paper.pdf", "-"], cwd=folder, capture_output=True, text=True)
    return re.sub(r"\s", "", shown.stdout), done.stdout


def labelled(*labels: str) -> TableLayout:
    numbers = [f"{i}.25 ± 0.5" for i in range(len(labels))]
    rows = [replace(row, name=label) for label, number in zip(labels, numbers, strict=True)
            for row in plain_rows({label: [number]})]  # fmt: skip
    return TableLayout(number="D1", title="T", head=head([("Row",)], ["A & B"]), body=tuple(rows), labels=1,
                       centred=frozenset(), notes=())  # fmt: skip


@pytest.mark.slow
@needs_latex
@pytest.mark.parametrize("preamble", ["", ACTIVE, "\\usepackage{hyperref}\n"])
def test_labels_of_any_kind_can_be_quoted_in_text_headings_and_captions(preamble, tmp_path):
    (tmp_path / "secret.tex").write_text("DISCLOSED")
    table = labelled(*ODD)
    (tmp_path / "numbers.tex").write_text(render([table], rehearsal=False), encoding="utf-8")
    text, said = typeset(tmp_path, *quotes_of(table), preamble=preamble)
    assert "! " not in said
    assert re.findall(r"[<¡«](\d+\.25±0\.5)[>¿»]", text) == [f"{i}.25±0.5" for i in range(len(ODD))]
    assert text.count("0.25±0.5") >= 3  # with the heading and the caption
    assert "DISCLOSED" not in text


@pytest.mark.slow
@needs_latex
def test_the_papers_tables_are_quoted_by_last_label_or_in_words_and_an_unknown_cell_is_an_error(make_record, tmp_path):
    cam = vary(model=TwoBranch(attention=Attention.CHANNEL))
    counts = [[9, 1, 0, 0, 0], *([10 * (i == j) for j in range(5)] for i in range(1, 5))]
    layouts = [lay_out(fill(BY_NUMBER[number], [make_record(cam, counts=counts), make_record(PROPOSED)]))
               for number in ("5", "8")]  # fmt: skip
    (tmp_path / "numbers.tex").write_text(render(layouts, rehearsal=False), encoding="utf-8")
    known = (r"\cell{5}{CAM}{OA}", r"\cell{5}{CD CAM}{OA}", r"\cell{8}{RM TL DM TL}{AF1}", r"$\cell{5}{CAM}{OA}$")
    text, said = typeset(tmp_path, *known)
    assert "! " not in said
    assert re.findall(r"¡([\d.]+)¿", text) == ["98.00", "98.00", "100.00", "98.00"]
    for unknown, named in ((r"\cell{5}{SE}{OA}", "5, SE, OA"), (r"\cell{5}{CAM}{AUC}", "5, CAM, AUC")):
        text, said = typeset(tmp_path, unknown)
        assert f"! Package numbers.tex Error: no number {named}." in said
        assert "¡??¿" in text


@pytest.mark.slow
@needs_latex
def test_a_rehearsals_number_says_so_where_it_is_quoted(tmp_path):
    (tmp_path / "numbers.tex").write_text(render([labelled("a")], rehearsal=True), encoding="utf-8")
    text, _ = typeset(tmp_path, r"\cell{D1}{a}{A & B}")
    assert text.count("[rehearsal:0.25±0.5]") == 3


def test_another_macro_of_the_name_is_not_replaced():
    assert r"\newcommand{\cell}{}" in render([labelled("a")], rehearsal=False)


def test_keys_differ_where_labels_differ_only_in_what_cannot_be_typed():
    keys = [quote.removeprefix(r"\cell{D1}{").split("}")[0] for quote in quotes_of(labelled("a%", "a#", "a (2)", "{}"))]
    assert keys == ["a", "a (2)", "a (2) (2)", ""]


def test_each_cell_names_its_macro_and_its_trials(make_record):
    records = [make_record(PROPOSED, seed) for seed in (0, 1)]
    compared = gather(fill(BY_NUMBER["7"], records, seeds=(0, 1)), PredictionLookup(lambda *_: None, {}))
    quoted = {line["quote"]: line["trials"] for line in cell_lines(compared)}
    assert len(quoted) == 12
    assert quoted[r"\cell{7}{RM DM SCAM}{AF1}"] == f"{PROPOSED.id}-s0 {PROPOSED.id}-s1"
    assert quoted[r"\cell{7}{RM SCAM}{OA}"] == ""
