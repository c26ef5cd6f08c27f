"""The study as one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analysis.notes import REHEARSAL_NOTE, groups_begin, notes, repeats, title
from analysis.tables import Filled
from analysis.which import arguments, command


def render(tables: Sequence[Filled], *, left_out: Mapping[str, str], storage: Path | None = None) -> str:
    """The page. It depends on the runs alone, so that printing them twice gives equal files.

    Args:
        left_out: number of each table that is not among `tables`, and why.
        storage: where the runs were read from; None: from a server.
    """
    rows = {row.config.id: row for filled in tables for row in filled.rows}.values()
    runs = {run.trial.id: run for row in rows for run in row.runs}
    overrides = tables[0].overrides
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("report.html")
    return page.render(
        tables=[_context(filled) | {"command": command(filled, storage=storage)} for filled in tables],
        left_out=left_out,
        finished=len(runs),
        wanted=len(runs) + sum(len(row.lacking) for row in rows),
        study=f"--set {arguments(overrides)}" if overrides else "",
        commits=sorted({str(git) for run in runs.values() if (git := run.provenance.get("git"))}),
        rehearsal=REHEARSAL_NOTE if any(filled.rehearsal for filled in tables) else "",
    )


def _context(filled: Filled) -> dict[str, object]:
    return {
        "number": filled.table.number,
        "title": title(filled),
        "stub": filled.table.stub,
        "columns": [column.label for column in filled.table.columns],
        "rows": list(zip(filled.rows, repeats(filled), groups_begin(filled), strict=True)),
        "notes": notes(filled),
        "missing": filled.missing,
    }
