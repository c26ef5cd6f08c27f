"""Tables as Markdown and as HTML."""

from collections.abc import Iterator
from html import escape

from analysis.tables.layout import Grid, GridCell, GridRow


def to_markdown(grid: Grid) -> str:
    """A pipe table: Markdown has no spans, so the headings of all levels stand in one line, labels on every row."""
    columns = range(len(grid.body[0]))
    labels = [" ".join(dict.fromkeys(_over(grid.head, column))) for column in columns]
    ruler = ["--:" if column >= grid.labels else ":-:" if column in grid.centred else ":--" for column in columns]
    lines = [labels, ruler, *([*_words(line)] for line in grid.body)]
    rows = [f"| {' | '.join(line)} |" for line in lines]
    notes = [f"- {_plain(note)}" for note in grid.notes]
    return "\n".join([f"**Table {grid.number}.** {_plain(grid.title)}", "", *rows, "", *notes, "", *_comment(grid), ""])


def _over(head: tuple[GridRow, ...], column: int) -> Iterator[str]:
    """The headings above a column; that of a span stands over each column of it."""
    for line in head:
        reach = [(i, box) for i, box in enumerate(line) if box]
        yield from (_plain(box.text) for i, box in reach if i <= column < i + box.across)


def _words(line: GridRow) -> Iterator[str]:
    for box in line:
        text = _plain(box.text) if box else ""
        yield (f"**{text}**" if box and box.bold else text) + (f"<sup>{box.mark}</sup>" if box and box.mark else "")


def _plain(text: str) -> str:
    """Text in which Markdown finds no signs of its own."""
    return "".join(f"\\{sign}" if sign in r"\`*_[]<>|#" else sign for sign in text)


def to_html(grid: Grid) -> str:
    """A `table` and its notes, to be put into any page."""
    head = [f"<tr>{''.join(_cell(box, 'col') for box in line if box)}</tr>" for line in grid.head]
    body = [
        f"<tr>{''.join(_cell(box, 'row' if i < grid.labels else None) for i, box in enumerate(line) if box)}</tr>"
        for line in grid.body
    ]
    notes = [f"<li>{escape(note)}</li>" for note in grid.notes]
    caption = f"<caption>Table {grid.number}. {escape(grid.title)}</caption>"
    return "\n".join(
        [f'<table id="table_{grid.number}">', caption, "<thead>", *head, "</thead>", "<tbody>", *body, "</tbody>"]
        + ["</table>", "<ul>", *notes, "</ul>", *_comment(grid), ""]
    )


def _comment(grid: Grid) -> list[str]:
    return ["<!--", *(line.replace("--", "- -") for line in grid.made_from), "-->"] if grid.made_from else []


def _cell(box: GridCell, scope: str | None) -> str:
    """A heading cell for its columns or its row; an empty label heads nothing."""
    spans = "".join(f' {name}="{n}"' for name, n in (("colspan", box.across), ("rowspan", box.down)) if n > 1)
    text = f"<b>{escape(box.text)}</b>" if box.bold else escape(box.text)
    text += f"<sup>{escape(box.mark)}</sup>" if box.mark else ""
    return f'<th scope="{scope}"{spans}>{text}</th>' if scope and box.text else f"<td{spans}>{text}</td>"
