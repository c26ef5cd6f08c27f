"""All pages of misclassified test images: one for each trial, and one for each dataset."""

from pathlib import Path

from analysis.load import Study
from analysis.report import hard_images, trial_pages
from analysis.report.links import FOLDER
from analysis.runs.pictures import Pictures


def write(study: Study, pictures: Pictures, *, out: Path) -> tuple[list[str], list[hard_images.Page]]:
    """Write the pages in place of those of an earlier printing.

    Returns:
        The names of all pages and pictures, from `out`; and the pages of the datasets.
    """
    folder, rows = out / FOLDER, _rows(study)
    for stale in (*folder.glob("*.html"), *folder.glob("images/*.jpg")):
        stale.unlink()
    trial_pages.write(study, rows=rows, pictures=pictures, out=out)
    hard = hard_images.write(study, rows=rows, pictures=pictures, out=out)
    written = (*folder.glob("*.html"), *folder.glob("images/*.jpg"))
    return sorted(file.relative_to(out).as_posix() for file in written), hard


def _rows(study: Study) -> dict[str, list[str]]:
    """By trial id, the rows of tables that it is in."""
    rows: dict[str, list[str]] = {}
    for filled in study.tables:
        for row in filled.rows:
            for run in row.runs:
                rows.setdefault(run.trial.id, []).append(f"Table {filled.table.number}, {filled.describe(row)}")
    return rows
