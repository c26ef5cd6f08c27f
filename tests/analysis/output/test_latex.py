import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.output.latex import document
from analysis.output.latex import render as render_layout
from analysis.output.latex_text import ESCAPES, escape, untypesettable
from analysis.output.pdf import Outcome, compile_pdf
from analysis.tables.choose import tables_under
from analysis.tables.fill import Filled, fill
from analysis.tables.layout import LayoutCell, LayoutRow, TableLayout, head, lay_out, plain_rows
from search_spaces.extensions import EXTENSIONS
from search_spaces.paper import PROPOSED, TABLES, vary
from search_spaces.table import configs
from tests.analysis.type_sizes import SEVEN_POINTS, sizes_of_numbers, words

BY_NUMBER = {table.number: table for table in TABLES}
REHEARSAL = {"images": "drawn", "trunks": "tiny", "epochs": 2, "image_size": 64}


def render(filled: Filled) -> str:
    return render_layout(lay_out(filled))


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
        ("--tables 4", r"-{}-tables 4"),
        ("✓", r"\checkmark{}"),
        ("a<b>c|d", r"a\textless{}b\textgreater{}c\textbar{}d"),
        ("[0, 1)*", "{[}0, 1){*}"),
        ("--- – —", "-{}-{}- -- ---"),
        ("β ≥ −0.9 ²", r"$\beta$ $\geq$ $-$0.9 $^{2}$"),
        ("e\u0301 Ł", "é Ł"),
        ("a\n\\input{b}\x1b", r"a\textbackslash{}u000a\textbackslash{}input\{b\}\textbackslash{}u001b"),
    ],
)
def test_signs_that_mean_something_to_latex_are_escaped(text, tex):
    assert escape(text) == tex


def labelled(*labels: str, general: tuple[str, ...] = (), made_from: tuple[str, ...] = ()) -> TableLayout:
    return TableLayout(
        number="D1",
        title="T",
        head=head([("Row",)], ["OA"]),
        body=plain_rows({label: ["90.00"] for label in labels}),
        labels=1,
        centred=frozenset(),
        notes=(),
        general=general,
        made_from=made_from,
    )


def pages(folder: Path, *tables: TableLayout) -> tuple[Outcome, str]:
    """What became of a document of tables, and the text of its pages."""
    for i, table in enumerate(tables):
        (folder / f"table_{i}.tex").write_text(render_layout(table), encoding="utf-8")
    (folder / "tables.tex").write_text(document([str(i) for i in range(len(tables))]), encoding="utf-8")
    outcome = compile_pdf(folder / "tables.tex")
    shown = subprocess.run(["pdftotext", "-layout", "tables.pdf", "-"], cwd=folder, capture_output=True, text=True)
    return outcome, shown.stdout


needs_latex = pytest.mark.skipif(
    not (shutil.which("pdflatex") and shutil.which("pdftotext")), reason="pdflatex or pdftotext is not installed"
)


@pytest.mark.slow
@needs_latex
def test_a_general_note_is_printed_under_the_first_table_that_has_it_which_others_name(tmp_path):
    tied, network, worse = "† tied: 5 % & #1.", "‡ one seed & more.", "A number without a mark is worse."
    notes = ((tied,), (tied, network), (network, tied), (worse,))
    outcome, text = pages(tmp_path, *(labelled("a", general=some) for some in notes))
    assert outcome == Outcome("tables.pdf: all tables")
    assert [text.count(note) for note in (tied, network, worse)] == [1, 1, 1]
    assert text.index(tied) < text.index("Table 1:") < text.index(network) < text.index("Table 2:")
    assert re.findall("See also .*", text) == [
        "See also the notes of Table 0.",
        "See also the notes of Table 1, Table 0.",
    ]


@pytest.mark.slow
@needs_latex
def test_labels_of_any_kind_are_printed_as_they_are(tmp_path):
    odd = ["(0, 1]", "[0, 1)", "* a", "{b}", "& c", "-- d", "\\input{secret}", "#1 %", "$x$ ~^", "'' \"", "a\tb"]
    letters = [chr(code) for code in range(0xA1, 0x180) if not untypesettable(chr(code))]
    signs = [sign for sign in map(chr, ESCAPES) if sign.isprintable() and not sign.isascii()]
    rows = [" ".join(some[i : i + 8]) for some in (letters, signs) for i in range(0, len(some), 8)]
    (tmp_path / "secret.tex").write_text("DISCLOSED")
    made_from = ("a\n\\input{secret}", "b\u2028\\input{secret}", "c\r\\input{secret}")
    outcome, text = pages(tmp_path, labelled(*odd, made_from=made_from), labelled(*rows[:25]), labelled(*rows[25:]))
    assert outcome == Outcome("tables.pdf: all tables")
    assert "DISCLOSED" not in text
    assert len(letters) > 130
    close = text.replace(" ", "")
    assert all(label in close for label in ("[0,1)", "*a", "{b}", "&c", "--d", r"\input{secret}", "#1%", "β", "≥"))
    assert text.count("90.00") == len(odd) + len(rows)


@pytest.mark.slow
@needs_latex
def test_what_pdflatex_has_no_sign_for_is_told_in_the_file_and_by_the_outcome(tmp_path):
    tex = render_layout(labelled("淋巴"))
    assert tex.startswith(
        "% !TeX program = lualatex\n% pdflatex has no sign for 淋 (U+6DCB), 巴 (U+5DF4): compile with "
    )
    assert "lualatex" not in render_layout(labelled("βŁ≥é"))
    outcome, _ = pages(tmp_path, labelled("淋巴"))
    assert outcome.refused
    assert "U+6DCB" in outcome.told


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
        *(r"\multirow[t]{6}{*}{LISC}", "", "", "", "", ""),
        *(r"\multirow[t]{6}{*}{BCCD}", "", "", "", "", ""),
        *(r"\multirow[t]{6}{*}{Raabin}", "", "", "", "", ""),
    ]
    assert [i for i, line in enumerate(lines) if line == r"\midrule"] == [6, 13]


def test_ticks_are_never_blanked():
    rows = {("✓", "a"): PROPOSED, ("✓", "b"): PROPOSED}
    lines = body(render(fill(replace(BY_NUMBER["7"], stub=("RM", "x"), rows=rows, heads=()), [])))
    assert [line.split(" & ")[0] for line in lines] == [r"\checkmark{}", r"\checkmark{}"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.number)
def test_braces_balance_and_every_line_has_every_column(table, make_record):
    records = [make_record(config, seed) for config in configs([table]) for seed in (0, 1)]
    tex = render(fill(table, records))
    assert re.sub(r"\\[{}]", "", tex).count("{") == re.sub(r"\\[{}]", "", tex).count("}")
    rows = [line for line in tex.splitlines() if line.endswith(r"\\")]
    spanned = [sum(int(n) - 1 for n in re.findall(r"multicolumn{(\d)}", line)) for line in rows]
    widths = {line.count("&") + 1 + more for line, more in zip(rows, spanned, strict=True)}
    assert widths == {len(table.stub) + len(table.columns)}
    assert len(rows) == len(table.rows) + max(1, len(table.heads))
    assert rf"\label{{tab:{table.number}}}" in tex


def test_notes_tell_seeds_missing_rows_and_what_headings_mean(make_record):
    tex = render(fill(BY_NUMBER["6"], [make_record(PROPOSED, 3)]))
    assert "One seed (3)." in tex
    assert "7 of 8 rows missing; to fill them: study/run.py -{}-tables 6" in tex
    assert "B basophil, M monocyte, E eosinophil, N neutrophil, L lymphocyte." in tex
    assert "OA accuracy, AP macro precision, AR macro recall, AF1 macro F1." in render(fill(BY_NUMBER["4"], []))


def test_rows_with_fewer_seeds_have_a_footnote(make_record):
    records = [make_record(PROPOSED, seed) for seed in (0, 1)] + [make_record(vary(mixup_alpha=0.4))]
    tex = render(fill(BY_NUMBER["4"], records))
    assert r"Mean $\pm$ sample SD over n = 2 seeds (0, 1)." in tex
    assert "\na: n = 1 (0)." in tex
    assert [line.split(" & ")[0] for line in body(tex)] == [
        "0",
        "0.2",
        r"0.4\rlap{\textsuperscript{a}}",
        "0.6",
        "0.8",
        "1.0",
    ]


def test_notes_tell_how_many_images_the_numbers_are_over(make_record):
    assert "Test images: LDWBC 10/10/10/10/10 B/M/E/N/L, 50 in all." in render(
        fill(BY_NUMBER["4"], [make_record(PROPOSED)])
    )


@pytest.mark.parametrize("number", ["4", "9"])
def test_the_letters_of_cell_types_are_explained_once_wherever_they_are_used(make_record, number):
    tex = render(fill(BY_NUMBER[number], [make_record(PROPOSED)]))
    assert tex.count(r"\generalnote{B basophil, M monocyte, E eosinophil, N neutrophil, L lymphocyte.}") == 1
    assert tex.count("basophil") == 1
    assert "basophil" not in render(fill(BY_NUMBER["4"], []))


def test_headings_of_several_levels_are_the_papers():
    head = render(fill(BY_NUMBER["8"], [])).split("\\toprule\n")[1].split("\n\\midrule")[0].splitlines()
    assert head == [
        r"\multicolumn{4}{@{}c}{Our model} &  &  &  &  \\",
        r"\cmidrule(lr){1-4}",
        r"\multicolumn{2}{@{}c}{RM} & \multicolumn{2}{c}{DM} &  &  &  &  \\",
        r"\cmidrule(lr){1-2}\cmidrule(lr){3-4}",
        r"TL & No TL & TL & No TL & OA & AP & AR & AF1 \\",
    ]


@pytest.mark.slow
@needs_latex
@pytest.mark.parametrize(("number", "first", "last"), [("7", "SCAM", "AF1"), ("9", "No", "L")])
def test_the_names_of_all_columns_share_a_baseline(tmp_path, number, first, last):
    pages(tmp_path, lay_out(fill(BY_NUMBER[number], [])))
    found = words(tmp_path / "tables.pdf")
    bottoms = {name: next(word.bottom for word in found if word.text == name) for name in (first, last)}
    assert bottoms[first] == pytest.approx(bottoms[last], abs=0.5)


@pytest.mark.slow
@needs_latex
@pytest.mark.parametrize("columns", [5, 6])
def test_a_mark_is_nearer_to_its_own_number_than_to_the_next_also_in_a_wide_table(tmp_path, columns):
    numbers = [LayoutCell(text="100.00 ± 0.00", bold=True, mark="†")] * columns
    row = LayoutRow(name="a", cells=(LayoutCell(text="CAM + SAM (CSAM)", mark="b"), *numbers))
    pages(tmp_path, replace(labelled("a"), head=head([("Attention method",)], "BMENLX"[:columns]), body=(row,)))
    found = words(tmp_path / "tables.pdf")
    marks = [word for word in found if word.text in ("b", "†")]
    assert len(marks) == columns + 1
    for mark in marks[:-1]:
        gap = min(word.left for word in found if word.text == "100.00" and word.left > mark.left) - mark.right
        assert gap > mark.right - mark.left
    assert min(sizes_of_numbers(tmp_path / "tables.pdf")) > SEVEN_POINTS


def test_groups_of_attention_are_as_in_the_paper():
    lines = body(render(fill(BY_NUMBER["5"], [])))
    assert [line.split(" & ")[0] for line in lines] == [
        *(r"\multicolumn{2}{@{}l}{No}", r"\addlinespace", r"\multirow[t]{3}{*}{CD}", "", ""),
        *(r"\addlinespace", "SD", r"\addlinespace", r"\multirow[t]{3}{*}{TD}", "", ""),
    ]


def test_notes_explain_the_dash_of_a_cell_type_that_a_dataset_lacks(make_record):
    bccd = next(config for (dataset, _), config in BY_NUMBER["12"].rows.items() if dataset == "BCCD")
    note = "A dash in a row with numbers: the test set lacks this cell type."
    assert note in render(fill(BY_NUMBER["12"], [make_record(bccd)]))
    assert note not in render(fill(BY_NUMBER["12"], [make_record(PROPOSED)]))


def test_a_rehearsal_and_a_departure_are_told():
    rehearsal = render(fill(tables_under(REHEARSAL)[0][0], [], overrides=REHEARSAL))
    assert r"\caption{REHEARSAL. Effect of the mixup parameter on the LDWBC test set (\%)}" in rehearsal
    assert "Rehearsal: tiny networks on drawn or small images. These numbers say nothing about the paper." in rehearsal
    departure = render(fill(BY_NUMBER["4"], [], overrides={"epochs": 2, "image_size": 64}))
    assert r"Departs from the paper: epochs=2, image\_size=64." in departure
    assert "REHEARSAL" not in departure


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("overrides", [{}, REHEARSAL], ids=["paper", "rehearsal"])
@pytest.mark.parametrize("width", ["margin=25mm", "textwidth=345pt"])
def test_all_tables_compile_and_none_is_too_wide_or_too_small(tmp_path: Path, make_record, width: str, overrides):
    tables = [*tables_under(overrides)[0], *tables_under(overrides, numbers=("E6", "E10"))[0]]
    records = [make_record(c, s, overrides=overrides) for c in configs(tables)[:40] for s in (0, 1, 2)]
    for table in tables:
        tex = render(fill(table, records, seeds=(0, 1, 2), overrides=overrides))
        tex = re.sub(r"(?<=& )--(?= [&\\])", lambda _: escape("98.00 ± 0.00"), tex)
        (tmp_path / f"table_{table.number}.tex").write_text(tex, encoding="utf-8")
    whole = document([table.number for table in tables]).replace("margin=25mm", width)
    (tmp_path / "tables.tex").write_text(whole, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.findall(r"(?:Over|Under)full.*", (tmp_path / "tables.log").read_text(errors="replace"))
    sizes = sizes_of_numbers(tmp_path / "tables.pdf")
    assert len(sizes) > 500
    assert min(sizes) > SEVEN_POINTS


@pytest.mark.parametrize("table", EXTENSIONS, ids=lambda table: table.number)
def test_tables_beyond_the_papers_are_printed_under_their_numbers(table):
    assert rf"\label{{tab:{table.number}}}" in render(fill(table, []))
    assert rf"\renewcommand{{\thetable}}{{{table.number}}}\input{{table_{table.number}}}" in document([table.number])
