import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis.report import render
from analysis.tables import fill
from analysis.which import tables_under
from search_spaces.paper import PROPOSED, vary

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


def page(records=(), overrides=None) -> str:
    tables, left_out = tables_under(overrides or {})
    return render([fill(t, records, overrides=overrides) for t in tables], left_out=left_out)


def test_the_page_counts_trials_once_and_names_their_commits(make_record):
    runs = [make_record(c, provenance={"git": "9e9cce6e0a1b"}) for c in (PROPOSED, vary(mixup_alpha=0.4))]
    html = page(runs)
    assert "2 of 46 finished" in html
    assert html.count("<code>9e9cce6e0a1b</code>") == 1
    assert "as in the paper, nothing set" in html


def test_each_row_names_its_trials_and_each_table_what_fills_it(make_record):
    html = page([make_record(PROPOSED)])
    assert f'title="{PROPOSED.id}-s0"' in html
    assert "<p>Missing: α 0; α 0.4; α 0.6; α 0.8; α 1.</p>" in html
    assert "<code>study/run.py --tables 4</code>" in html


def test_the_best_is_bold_and_said(make_record):
    wrong = [[9, 1, 0, 0, 0], *([10 * (i == j) for j in range(5)] for i in range(1, 5))]
    html = page([make_record(PROPOSED), make_record(vary(mixup_alpha=0.4), counts=wrong)])
    assert '<td class="score best">100.00<span class="unseen"> (best)</span></td>' in html
    assert '<td class="score">98.00</td>' in html


def test_markup_is_well_formed_accessible_and_asks_for_nothing_outside():
    parsed = Page(page())
    assert parsed.of("html") == [{"lang": "en"}]
    assert len(parsed.of("table")) == len(parsed.of("caption")) == 9
    assert {attributes["scope"] for attributes in parsed.of("th")} == {"col", "row"}
    assert not [a for _, attributes in parsed.elements for a in attributes if a in ("src", "href")]
    assert "url(" not in "".join(parsed.text)
    assert "@import" not in "".join(parsed.text)


def test_labels_are_text_never_markup():
    assert "Departs from the paper: lr=&lt;b&gt;." in render(
        [fill(tables_under({})[0][0], [], overrides={"lr": "<b>"})], left_out={}
    )


def test_a_rehearsal_is_told_in_title_banner_and_every_caption():
    rehearsal, paper = page(overrides={"images": "drawn", "trunks": "tiny"}), page()
    assert "<title>REHEARSAL: " in rehearsal
    assert '<p class="warning" role="alert">Rehearsal: tiny networks on drawn images.' in rehearsal
    assert rehearsal.count(". REHEARSAL. ") == 9
    assert "rehearsal" not in paper.lower()


def test_tables_left_out_are_told_with_the_reason():
    assert "Table 4: varies what is being set (mixup_alpha)" in page(overrides={"mixup_alpha": 0.4})


def test_printing_twice_gives_the_same_page(make_record):
    assert page([make_record(PROPOSED)]) == page([make_record(PROPOSED)])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [400, 1200])
def test_nothing_but_a_table_scrolls_sideways(tmp_path: Path, make_record, width):
    records = [make_record(c, s) for c in (PROPOSED, vary(mixup_alpha=0.4)) for s in (0, 1, 2)]
    measure = "<script>document.title = document.documentElement.scrollWidth - innerWidth</script></body>"
    (tmp_path / "report.html").write_text(page(records).replace("</body>", measure), encoding="utf-8")
    frame = f'<iframe id="f" src="report.html" style="width: {width}px"></iframe><p id="o"></p>'
    show = '<script>f.onload = () => { o.textContent = "over by " + f.contentDocument.title }</script>'
    (tmp_path / "frame.html").write_text(frame + show, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", "--allow-file-access-from-files", "--dump-dom"]
    command = ["chromium", *flags, f"--user-data-dir={tmp_path / 'profile'}", str(tmp_path / "frame.html")]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    over = int(shown.split('id="o">over by ')[1].split("<")[0])
    assert over <= 0
