"""The text of every file that prints a study's tables."""

from analysis.load import Study
from analysis.output import latex, numbers, references
from analysis.output.frames import to_csv
from analysis.output.markup import to_html, to_markdown
from analysis.output.rank_table import ranks
from analysis.output.setup_tables import setting
from analysis.tables.layout import TableLayout, lay_out

SUFFIXES = ("tex", "csv", "md", "html")
"""Formats of each table."""
LINES = ("cells", "deltas", "power", "costs")
"""CSV files that cover all tables."""


def layouts(study: Study) -> list[TableLayout]:
    """Every table in the order of printing; a whole study also has Tables 1-3 and the ranks."""
    tables = [lay_out(filled) for filled in study.tables]
    if not study.whole:
        return tables
    across = [ranks(filled) for filled in study.tables if filled.table.number == "12"]
    return [*setting(study), *tables, *(ranked for ranked in across if ranked)]


def outputs(study: Study) -> dict[str, str]:
    """The text of every file, by name."""
    tables = layouts(study)
    files = {name: text for table in tables for name, text in formats(table).items()}
    scored = [filled.table.number for filled in study.tables]
    files |= {f"table_{number}.csv": to_csv(study.table(number)) for number in scored}
    files["tables.tex"] = latex.document([table.number for table in tables])
    files[references.NAME] = references.BIB
    files["numbers.tex"] = numbers.render(tables, rehearsal=study.rehearsal)
    frames = dict(zip(LINES, (study.cells(), study.deltas(), study.power(), study.runs()), strict=True))
    return files | {f"{name}.csv": to_csv(frame) for name, frame in frames.items() if len(frame)}


def formats(table: TableLayout) -> dict[str, str]:
    """A table as LaTeX, Markdown and HTML, by the name of the file."""
    texts = {"tex": latex.render(table), "md": to_markdown(table), "html": to_html(table)}
    return {f"table_{table.number}.{suffix}": text for suffix, text in texts.items()}
