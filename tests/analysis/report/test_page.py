import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.output.frames import cell_lines
from analysis.output.pdf import Outcome, compile_pdf
from analysis.report.page import Figure, data_url, render
from analysis.runs.reading import Reading, Run
from analysis.stats.evidence import gather
from analysis.stats.predictions import PredictionLookup
from analysis.tables.choose import tables_under
from analysis.tables.fill import fill
from search_spaces.extensions import EXTENSIONS
from search_spaces.paper import PROPOSED, TABLES, vary
from tests.analysis.output.test_markup import Shape
from tests.analysis.report.browser import fits, navigable, violations

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Elements with their attributes and text; an element closed out of order fails."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(records=(), overrides=None, *, seeds=(0,), unfinished=None, figures=()) -> str:
    tables, left_out = tables_under(overrides or {})
    filled = [fill(t, records, overrides=overrides, seeds=seeds) for t in tables]
    runs = {r.trial.id: Run(r, {"gradcam.png": png()}.get, f"runs/{r.trial.id}") for r in records}
    reading = Reading(runs, unfinished or {}, ["a note"], ["x is damaged"])
    return rendered(filled, reading, left_out=left_out, figures=figures)


def rendered(tables, reading, **asked) -> str:
    """The page of tables, without predictions to compare rows by."""
    compared = [gather(table, PredictionLookup(lambda *_: None, {})) for table in tables]
    asked = {"left_out": {}} | asked
    return render([one.filled for one in compared], reading, cells=[cell_lines(one) for one in compared], **asked)


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((64, 96, 3), 200, np.uint8)).save(file, format="PNG")
    return file.getvalue()


def rows_of(html: str) -> dict:
    """What the page opens behind its numbers."""
    return json.loads(re.search(r'<script type="application/json" id="rows">(.*?)</script>', html)[1])


def test_the_page_counts_trials_once_and_names_their_commits(make_record):
    runs = [make_record(c, provenance={"git": "9e9cce6e0a1b"}) for c in (PROPOSED, vary(mixup_alpha=0.4))]
    html = page(runs)
    assert "2 of 46 finished" in html
    assert html.count("<code>9e9cce6e0a1b</code>") == 1
    assert "as in the paper, nothing overridden" in html


def test_each_number_leads_to_its_runs_and_each_table_to_what_fills_it(make_record):
    matrix = [[9, 1, 0, 0, 0], *([10 * (i == j) for j in range(5)] for i in range(1, 5))]
    made = {"git": "9e9cce6", "data": "abc", "weights": {"resnet50": {"sha256": 64 * "f"}}, "node": "n1"}
    run = replace(
        make_record(PROPOSED, counts=matrix, provenance=made),
        curves=[{"train_accuracy": 0.123456, "validation_accuracy": 0.5, "train_loss": 1.0}],
        best_epoch=0,
    )
    html = page([run], seeds=(0, 1), unfinished={f"{PROPOSED.id}-s1": "training: the loss is nan"})
    row = rows_of(html)[PROPOSED.id]
    (opened,) = row["runs"]
    assert f'data-row="{PROPOSED.id}"' in html
    assert (opened["counts"], opened["best_epoch"], opened["scores"]["accuracy"]) == (matrix, 1, 98.0)
    assert [name for name in opened["scores"] if name.startswith("recall")] == [
        f"recall/{cell}" for cell in ("basophil", "monocyte", "eosinophil", "neutrophil", "lymphocyte")
    ]
    assert opened["curves"]["train_accuracy"] == [0.1235]
    assert opened["made"]["weights"] == "resnet50 ffffffffffff"
    assert opened["made"]["read from"] == f"runs/{PROPOSED.id}-s0"
    assert row["missing"] == [{"seed": 1, "id": f"{PROPOSED.id}-s1", "why": "training: the loss is nan"}]
    assert row["gradcam"].startswith("data:image/jpeg;base64,")
    assert rows_of(html)[vary(mixup_alpha=0.4).id]["differs"] == {"mixup_alpha": 0.4}
    assert "<p>Missing: α 0; α 0.2 (seed 1); α 0.4; α 0.6; α 0.8; α 1.0.</p>" in html
    assert "<code>study/run.py --tables 4 --seeds 0 1</code>" in html


def test_tables_are_in_the_order_of_the_paper_and_others_after_them():
    beside = {n: f'<table id="table_{n}"><caption>Table {n}. Images</caption></table>' for n in ("1", "2", "3", "S1")}
    figure = Figure("6", "Figure 6", "Effect of mixup", "Lines.", "data:,")
    html = rendered([fill(table, []) for table in TABLES], Reading(), beside=beside, figures=[figure])
    assert all(table in html for table in beside.values())
    places = ["notes", *(f"table-{n}" for n in range(1, 13)), "table-S1", "figure-6"]
    assert [section["id"] for section in Page(html).of("section")] == places
    links = Page(re.search("<nav.*</nav>", html, re.DOTALL)[0]).of("a")
    assert [link["href"] for link in links] == [f"#{place}" for place in places]
    assert html.index('id="table-12"') < html.index("<h2>Other tables</h2>") < html.index('id="table-S1"')


def test_what_was_not_read_is_told():
    html = page()
    assert "<dd>a note</dd>" in html
    assert "<dd>Not read: x is damaged</dd>" in html


def test_figures_are_within_the_page():
    figure = Figure("6", "Figure 6", "Effect of <mixup>", "As & it is.", data_url(b"picture", "image/png"))
    html = page(figures=[figure])
    assert '<img src="data:image/png;base64,cGljdHVyZQ==" alt="Effect of &lt;mixup&gt;">' in html
    assert "As &amp; it is." in html
    assert '<a href="#figure-6"><span class="unseen">Figure </span>6</a>' in html


def test_the_best_is_bold_and_said(make_record):
    wrong = [[9, 1, 0, 0, 0], *([10 * (i == j) for j in range(5)] for i in range(1, 5))]
    html = page([make_record(PROPOSED), make_record(vary(mixup_alpha=0.4), counts=wrong)])
    cells = re.findall(r'<td class="(score[ best]*)" data-value="([\d.]*)">', html)
    assert cells[4:12] == 4 * [("score best", "100.00")] + [
        ("score", value) for value in ("98.00", "98.18", "98.00", "97.99")
    ]
    assert html.count('100.00<span class="unseen"> (best)</span>') >= 4


def test_markup_is_well_formed_accessible_and_asks_for_nothing_outside():
    parsed = Page(page())
    assert parsed.of("html") == [{"lang": "en"}]
    assert len(parsed.of("table")) == len(parsed.of("caption")) == 9
    assert {attributes["scope"] for attributes in parsed.of("th")} == {"col", "colgroup", "row"}
    addresses = [v for _, attributes in parsed.elements for a, v in attributes.items() if a in ("src", "href")]
    assert not [address for address in addresses if not address.startswith(("#", "data:"))]
    assert "url(" not in "".join(parsed.text)
    assert "@import" not in "".join(parsed.text)


def test_every_line_of_every_table_covers_every_column(make_record):
    tables = re.findall(r'<table class="scores" role="grid">.*?</table>', page([make_record(PROPOSED)]), re.DOTALL)
    assert len(tables) == 9
    for table in tables:
        assert len({frozenset(line) for line in Shape(table).covered}) == 1


def test_labels_are_text_never_markup():
    assert "Departs from the paper: lr=&lt;b&gt;." in rendered(
        [fill(tables_under({})[0][0], [], overrides={"lr": "<b>"})], Reading()
    )


def test_notes_on_all_tables_are_printed_once_and_linked_from_each(make_record):
    html = page([make_record(config, seed) for config in (PROPOSED, vary(mixup_alpha=0.4)) for seed in (0, 1)])
    for note in (
        "OA accuracy, AP macro precision",
        "AF1 is the mean of the per-class F1 scores",
        "Best results in bold",
    ):
        assert html.count(f"<li>{note}") == 1
    assert html.count('<a href="#notes">Signs, tests and abbreviations</a>') == 9
    assert html.count("<li>Mean ± sample SD over n = 2 seeds (0, 1).</li>") > 5


def test_a_rehearsal_is_told_in_title_banner_and_every_caption():
    rehearsal, paper = page(overrides={"images": "drawn", "trunks": "tiny"}), page()
    assert "<title>REHEARSAL: " in rehearsal
    assert '<p class="warning" role="alert">Rehearsal: tiny networks on drawn or small images.' in rehearsal
    assert rehearsal.count(". REHEARSAL. ") == 9
    assert "rehearsal" not in paper.lower()


def test_tables_left_out_are_told_with_the_reason():
    assert "Table 4: varies what is being set (mixup_alpha)" in page(overrides={"mixup_alpha": 0.4})


def test_printing_twice_gives_the_same_page(make_record):
    assert page([make_record(PROPOSED)]) == page([make_record(PROPOSED)])


@pytest.fixture
def opened(chromium, tmp_path, make_record, request) -> Iterator:
    """The page of a few runs in the browser, from disk; a message on its console fails the test."""
    epochs = [{"train_accuracy": a, "validation_accuracy": a, "train_loss": 1.0} for a in (0.2, 0.6, 0.9)]
    wrong = [[9, 1, 0, 0, 0], *([10 * (i == j) for j in range(5)] for i in range(1, 5))]
    everywhere = {"test_on": "all"}
    best, other, worst, failed = (vary(mixup_alpha=a).override(everywhere) for a in (0.2, 0.4, 0.0, 0.6))
    elsewhere = {on.name: make_record(PROPOSED).test for on in best.tested[1:]}
    records = [make_record(config, seed) for config in (best, other) for seed in (0, 1, 2)]
    records = [
        replace(record, curves=epochs, elsewhere=elsewhere) for record in (*records, make_record(worst, counts=wrong))
    ]
    lost = {f"{failed.id}-s0": "code: ZeroDivisionError: division by zero"}
    figure = Figure("6", "Figure 6", "Effect of mixup", "Lines.", data_url(png(), "image/png"))
    file = tmp_path / "report.html"
    file.write_text(page(records, everywhere, seeds=(0, 1, 2), unfinished=lost, figures=[figure]), encoding="utf-8")
    width, scheme = getattr(request, "param", (1200, "light"))
    tab = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else said.append(asked.url))
    tab.goto(file.as_uri())
    yield tab
    tab.close()
    assert said == []


SCREENS = pytest.mark.parametrize("opened", [(w, s) for w in (360, 1200) for s in ("light", "dark")], indirect=True)


@pytest.mark.slow
@SCREENS
def test_nothing_but_a_table_scrolls_sideways_and_nothing_bars_anyone(opened):
    assert fits(opened)
    assert violations(opened) == []
    opened.locator("#table-4 button.open").nth(4).click()
    assert fits(opened)
    assert violations(opened) == []


@pytest.mark.slow
def test_every_link_of_the_navigation_is_in_view_and_named_in_full(chromium, tmp_path):
    figures = [Figure(str(n), f"Figure {n}", "Lines", "", data_url(png(), "image/png")) for n in range(2, 11)]
    cost = Figure("cost", "Cost", "Lines", "", data_url(png(), "image/png"))
    file = tmp_path / "report.html"
    file.write_text(page(figures=[*figures, cost]), encoding="utf-8")
    tab = chromium.new_page()
    tab.goto(file.as_uri())
    for width in (390, 1280, 1920):
        tab.set_viewport_size({"width": width, "height": 900})
        assert navigable(tab), width
        for name in ("Notes", "Table 4", "Table 12", "Figure 10", "Cost"):
            tab.locator("nav").get_by_role("link", name=name, exact=True).click()
            top = tab.locator(f"section[aria-label^='{name}']").evaluate("one => one.getBoundingClientRect().top")
            bar = tab.locator("nav").evaluate("one => one.getBoundingClientRect().bottom")
            assert top >= max(bar, 0), (width, name)
            tab.evaluate("scrollTo(0, 0)")
    tab.close()


@pytest.mark.slow
def test_a_wide_table_scrolls_only_where_the_page_is_narrower(chromium, tmp_path):
    file = tmp_path / "report.html"
    shown = [fill(table, []) for table in (TABLES[0], *EXTENSIONS) if table.number in ("4", "E6", "E10")]
    file.write_text(rendered(shown, Reading()), encoding="utf-8")
    tab = chromium.new_page()
    tab.goto(file.as_uri())
    region = tab.locator("#table-E10 .scroll")
    for width, scrolls in ((1920, False), (1280, True), (390, True)):
        tab.set_viewport_size({"width": width, "height": 900})
        assert fits(tab), width
        assert region.evaluate("one => one.scrollWidth > one.clientWidth") == scrolls, width
        assert tab.locator("#table-4").bounding_box()["width"] == min(width - 32, 1120)
    tab.close()


@pytest.mark.slow
def test_a_number_opens_its_runs_by_mouse_and_keyboard(opened):
    opened.get_by_role("button", name="98.00").first.click()
    dialog = opened.get_by_role("dialog", name="Table 4, α 0")
    assert dialog.get_by_role("table", name="Scores of each seed").locator("tbody tr").all_inner_texts() == [
        "0\t98.00\t98.18\t98.00\t97.99\t90.00\t100.00\t100.00\t100.00\t100.00\t1\t1.0 s"
    ]
    assert dialog.locator(".matrix tbody tr").first.inner_text() == "basophil\t9\t1\t0\t0\t0"
    other = dialog.get_by_role("table", name="Confusion matrix of LISC")
    assert other.locator("tbody tr").first.inner_text() == "basophil\t10\t0\t0\t0\t0"
    assert dialog.locator(".curves polyline").count() == 2
    assert dialog.locator("img.gradcam").evaluate("image => image.complete && image.naturalWidth") == 96
    assert "mixup_alpha" in dialog.inner_text()
    opened.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert opened.evaluate("document.activeElement.textContent") == "98.00"
    opened.keyboard.press("Enter")
    assert dialog.is_visible()
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


@pytest.mark.slow
def test_a_dash_opens_why_there_is_no_number(opened):
    opened.locator("#table-4 tbody tr", has_text="0.6").locator("button.open").first.click()
    text = opened.get_by_role("dialog").inner_text()
    assert "division by zero" in text
    assert "not run yet" in text


@pytest.mark.slow
def test_a_heading_sorts_down_up_and_back(opened):
    def firsts() -> list[str]:
        return opened.locator("#table-10 tbody tr").evaluate_all("rows => rows.map(row => row.dataset.name)")

    heading = opened.locator("#table-10 th", has=opened.get_by_role("button", name="OA"))
    before = firsts()
    for direction, top in (("descending", "Our model Virtual"), ("ascending", "Our model Raw"), ("none", None)):
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == direction
        assert firsts() == before if top is None else firsts()[0] == f"Table 10, {top}"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_a_document_becomes_a_pdf_and_an_error_is_told(tmp_path):
    tex = tmp_path / "tables.tex"
    tex.write_text(r"\documentclass{article}\begin{document}As seen in \ref{a}.\label{a}\end{document}")
    assert compile_pdf(tex) == Outcome("tables.pdf: all tables")
    assert {file.name for file in tmp_path.iterdir()} == {"tables.tex", "tables.pdf"}
    tex.write_text(r"\documentclass{article}\begin{document}\nonsense\end{document}")
    assert compile_pdf(tex) == Outcome(
        "tables.pdf: not made; pdflatex says: ! Undefined control sequence.", refused=True
    )


def test_without_a_compiler_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    told, refused = compile_pdf(Path("tables.tex"))
    assert told.startswith("tables.pdf: not made, because pdflatex is missing (Debian: apt-get")
    assert not refused
