"""Tables as Markdown and as HTML."""

import re
from collections.abc import Iterator
from html import escape

from analysis.tables.layout import Cells, LayoutCell, TableLayout
from wbc_model.plain_text import markdown, printable


def to_markdown(table: TableLayout) -> str:
    """A pipe table. Markdown has no spans, so the headings of all levels are joined in one line."""
    columns = range(len(table.body[0].cells))
    labels = [" ".join(dict.fromkeys(_over(table.head, column))) for column in columns]
    ruler = ["--:" if column >= table.labels else ":-:" if column in table.centred else ":--" for column in columns]
    lines = [labels, ruler, *([*_words(row.cells)] for row in table.body)]
    rows = [f"| {' | '.join(line)} |" for line in lines]
    notes = [f"- {markdown(note)}" for note in (*table.notes, *table.general)]
    return "\n".join(
        [f"**Table {table.number}.** {markdown(table.title)}", "", *rows, "", *notes, "", *_comment(table), ""]
    )


def _over(head: tuple[Cells, ...], column: int) -> Iterator[str]:
    """The headings above a column, from the top; a heading that spans columns is above each of them."""
    for line in head:
        reach = [(i, cell) for i, cell in enumerate(line) if cell]
        yield from (markdown(cell.text) for i, cell in reach if i <= column < i + cell.across)


def _words(line: Cells) -> Iterator[str]:
    for cell in line:
        if cell is None or cell.repeated:
            yield ""
            continue
        text = markdown(cell.text)
        yield (f"**{text}**" if cell.bold else text) + (f"<sup>{cell.mark}</sup>" if cell.mark else "")


def to_html(table: TableLayout) -> str:
    """A `table` element and a list of its notes, to be put into any page."""
    head = [f"<tr>{''.join(_cell(cell, 'col') for cell in line if cell)}</tr>" for line in table.head]
    body = [f"<tr>{''.join(_cells(row.cells, table.labels))}</tr>" for row in table.body]
    notes = [f"<li>{html(note)}</li>" for note in (*table.notes, *table.general)]
    caption = f"<caption>Table {table.number}. {html(table.title)}</caption>"
    return "\n".join(
        [f'<table id="table_{table.number}">', caption, "<thead>", *head, "</thead>", "<tbody>", *body, "</tbody>"]
        + ["</table>", "<ul>", *notes, "</ul>", *_comment(table), ""]
    )


def html(text: str) -> str:
    """Text as HTML."""
    return escape(printable(text))


def _comment(table: TableLayout) -> list[str]:
    """What a table was made from, as an HTML comment, which ends at the first `--`."""
    lines = [re.sub("-(?=-)", "- ", printable(line)) for line in table.made_from]
    return ["<!--", *lines, "-->"] if lines else []


def _cells(line: Cells, labels: int) -> Iterator[str]:
    for i, cell in enumerate(line):
        if cell and not cell.repeated:
            yield _cell(cell, "row" if i < labels else None)


def _cell(cell: LayoutCell, scope: str | None) -> str:
    """A `th` with its scope if it is a heading with text, else a `td`."""
    spans = "".join(f' {name}="{n}"' for name, n in (("colspan", cell.across), ("rowspan", cell.down)) if n > 1)
    text = f"<b>{html(cell.text)}</b>" if cell.bold else html(cell.text)
    text += f"<sup>{html(cell.mark)}</sup>" if cell.mark else ""
    return f'<th scope="{scope}"{spans}>{text}</th>' if scope and cell.text else f"<td{spans}>{text}</td>"
