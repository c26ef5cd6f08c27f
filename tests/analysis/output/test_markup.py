from html.parser import HTMLParser

import pytest

from analysis.output.markup import to_html, to_markdown
from analysis.tables.fill import fill
from analysis.tables.layout import lay_out
from search_spaces.paper import PROPOSED, TABLES, vary
from search_spaces.table import configs

BY_NUMBER = {table.number: table for table in TABLES}


class Shape(HTMLParser):
    """Which columns and rows the cells of a table cover, as a browser lays them out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.covered: list[set[int]] = []
        self.below: dict[int, set[int]] = {}
        self.row = -1
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.row += 1
            self.covered.append(set(self.below.get(self.row, ())))
        if tag in ("td", "th"):
            given = dict(attrs)
            across, down = int(given.get("colspan", 1)), int(given.get("rowspan", 1))
            first = next(i for i in range(100) if i not in self.covered[-1])
            cells = set(range(first, first + across))
            assert not cells & self.covered[-1]
            self.covered[-1] |= cells
            for row in range(self.row + 1, self.row + down):
                self.below[row] = self.below.get(row, set()) | cells


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.number)
def test_every_cell_of_every_table_is_covered_once(table, make_record):
    filled = fill(table, [make_record(config) for config in configs([table])])
    width = len(table.stub) + len(table.columns)
    assert Shape(to_html(lay_out(filled))).covered == [set(range(width))] * (len(table.rows) + max(1, len(table.heads)))
    rows = [line for line in to_markdown(lay_out(filled)).splitlines() if line.startswith("|")]
    assert {line.count(" |") for line in rows} == {width}
    assert len(rows) == len(table.rows) + 2


def test_markdown_has_one_heading_line_and_marks_the_best(make_record):
    wrong = [[9, 1, 0, 0, 0], *([10 * (i == j) for j in range(5)] for i in range(1, 5))]
    records = [make_record(PROPOSED), make_record(vary(mixup_alpha=0.4), counts=wrong)]
    text = to_markdown(lay_out(fill(BY_NUMBER["4"], records)))
    assert "| α | OA | AP | AR | AF1 |" in text
    assert "| 0.2 | **100.00** | **100.00** | **100.00** | **100.00** |" in text
    assert "| 0.4 | 98.00 | 98.18 | 98.00 | 97.99 |" in text
    assert "| Our model RM TL | Our model RM No TL | Our model DM TL |" in to_markdown(
        lay_out(fill(BY_NUMBER["8"], []))
    )


def test_labels_are_text_never_markup():
    filled = fill(BY_NUMBER["4"], [], overrides={"lr": "<b>|*"})
    assert "lr=&lt;b&gt;|*." in to_html(lay_out(filled))
    assert r"lr=\<b\>\|\*." in to_markdown(lay_out(filled))
