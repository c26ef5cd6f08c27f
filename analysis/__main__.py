"""Print the study: `python -m analysis`."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.arguments import add_arguments, parse
from analysis.commands import audit, check, compare, dashboard, laboratory, robustness, search, verify
from analysis.load import Study, load
from analysis.output import made_from
from analysis.output.files import LINES, SUFFIXES, layouts, outputs
from analysis.output.pdf import compile_pdf
from analysis.report import misclassified
from analysis.report import page as report
from analysis.report.links import FOLDER, links_of
from analysis.runs.pictures import Pictures
from analysis.tables.command_line import arguments, command
from analysis.tables.fill import Filled
from analysis.tables.notes import REHEARSAL_NOTE
from wbc_model.errors import reports_input_errors
from wbc_model.files import user_path
from wbc_model.plain_text import printable
from wbc_model.preparation.cache_folder import default_cache

EXAMPLES = """\
examples:
  python -m analysis                                print the one study whose storage is runs/
  python -m analysis --storage /mnt/wbc --out paper ... in another storage, into paper/
  python -m analysis --wandb ENTITY/wbc-study       ... on a W&B server
  python -m analysis --set epochs=2 image_size=64   of several studies, the one that was run with these
  python -m analysis --data ~/wbc                   ... figures and test images from there
  python -m analysis --set                          of several studies, the paper itself: nothing overridden
  python -m analysis audit                          check the article's tables for consistency (needs no runs)
  python -m analysis verify                         compare the study's numbers with the article's
  python -m analysis compare A B                    two studies, cell by cell: another library, another machine
  python -m analysis laboratory                     kappa, calibration, ROC, differential counts of the models
  python -m analysis robustness                     the models on blurred, noisy, otherwise stained images
  python -m analysis search NAME                    draw a search: its samples and the parameters' importance
  python -m analysis dashboard --wandb ENTITY/...   create or update a W&B workspace and report
  python -m analysis check                          compare the written files with the runs

exit status: 0 every row is filled, 1 rows are missing (the command to run them is printed), runs could not be read, or
pdflatex refuses the tables, 2 nothing could be printed
"""
COMMANDS = {
    "audit": audit.main,
    "check": check.main,
    "compare": compare.main,
    "dashboard": dashboard.main,
    "laboratory": laboratory.main,
    "robustness": robustness.main,
    "search": search.main,
    "verify": verify.main,
}


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand, or print the study; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in COMMANDS:
        return COMMANDS[words[0]](words[1:])
    return print_study(**parse(parser(), words))


def print_study(*, out: Path, data: Path | None = None, figures: bool = True, **asked: Any) -> int:
    """Read a study, write every table, and say what is missing.

    Args:
        out: the folder to write to.
        data: folder of the published images, for the figures that show some (None: they show drawn ones) and for
            pictures of test images that are not in the cache.
        figures: whether to draw the figures too, which takes seconds.
        asked: which study, and which part of it: the keyword arguments of `load`.

    Returns:
        The exit status: 0 every row is filled, 1 rows are missing, runs could not be read, or LaTeX refuses the tables.

    Raises:
        InputError: as `load`.
    """
    study = load(**asked)
    out.mkdir(parents=True, exist_ok=True)
    files = outputs(study)
    _write(files, out)
    print("\n".join(map(printable, _summary(study))))
    compiled = compile_pdf(out / "tables.tex")
    print(compiled.told)
    drawn = _draw(study, data=data, out=out) if figures else []
    pages, hard = misclassified.write(
        study, Pictures(cached=default_cache(), data=data, storage=study.storage), out=out
    )
    page = report.render(
        study.tables,
        study.reading,
        cells=study.cell_lines,
        left_out=study.left_out,
        storage=study.storage,
        beside=_beside(study, files),
        figures=drawn,
        links=links_of(study, start=out, pages=pages),
        hard=hard,
    )
    (out / "report.html").write_text(page, encoding="utf-8")
    others = [*out.glob("tables.pdf"), *(out.glob("figure_*") if figures else ())]
    written = [*files, "report.html", *pages, *sorted(file.name for file in others)]
    made_from.save(study, layouts(study), asked=asked, out=out, written=written)
    for line in (*study.reading.notes, *(f"not read: {problem}" for problem in study.reading.problems)):
        print(printable(line))
    print(
        f"Written to {out.absolute()}: tables.tex and report.html; of each table .tex, .csv, .md and .html; "
        f"cells.csv, deltas.csv, power.csv, costs.csv; numbers.tex: macros that quote them; "
        f"{FOLDER}/: the test images that each trial got wrong, and those that most did"
    )
    lacks = any(filled.missing for filled in study.tables)
    return 1 if lacks or study.reading.problems or compiled.refused else 0


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="python -m analysis",
        description="Read finished runs from W&B and write the paper's tables as LaTeX, CSV and one HTML page.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(described)
    described.add_argument(
        "--data",
        type=user_path,
        metavar="DIR",
        help="the study's images, for figures 2 and 5 [drawn ones] and pages of wrong images [from the cache]",
    )
    described.add_argument(
        "--no-figures", dest="figures", action="store_false", help="tables and report only: seconds faster"
    )
    return described


def _write(files: Mapping[str, str], out: Path) -> None:
    """Write the files, after deleting those of all tables, which may be another study's."""
    tables = (file for suffix in SUFFIXES for file in out.glob(f"table_*.{suffix}"))
    lines = (out / name for name in (*(f"{name}.csv" for name in LINES), robustness.CSV))
    kept = (out / made_from.name_of(command) for command in ("", "laboratory", "robustness"))
    for stale in [*tables, *lines, *kept]:
        stale.unlink(missing_ok=True)
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")


def _beside(study: Study, files: Mapping[str, str]) -> dict[str, str]:
    """By number, the HTML of each table that shows no scores (1-3, ranks)."""
    numbers = {filled.table.number for filled in study.tables}
    tables = {
        name.removeprefix("table_").removesuffix(".html"): text for name, text in files.items() if ".html" in name
    }
    return {number: text for number, text in tables.items() if number not in numbers}


def _draw(study: Study, *, data: Path | None, out: Path) -> list[report.Figure]:
    """Write the figures to `out` and print which cannot be drawn; returns those drawn, for the report."""
    from analysis.figures.catalogue import draw, save  # matplotlib and torch take seconds to load

    tables = {filled.table.number: filled for filled in study.tables}
    drawn, impossible = draw(tables, study.reading, manifests=study.manifests, data=data)
    save(drawn, out)
    print(f"Figures {', '.join(figure.number for figure in drawn)}: drawn")
    for number, reason in impossible.items():
        print(f"Figure {number}: not drawn; {reason}")
    pictures = [(out / f"figure_{figure.number}.png").read_bytes() for figure in drawn]
    return [
        report.Figure(figure.number, figure.label, figure.heading, figure.caption, report.data_url(png, "image/png"))
        for figure, png in zip(drawn, pictures, strict=True)
    ]


def _summary(study: Study) -> list[str]:
    """One line per table, with its missing rows and the command that runs them."""
    lines = [REHEARSAL_NOTE] if study.rehearsal else []
    lines += [f"Set: {arguments(study.overrides)}"] if study.overrides else []
    for filled in study.tables:
        number = filled.table.number
        there = sum(bool(row.runs) for row in filled.rows)
        lines.append(f"Table {number}: {there} of {len(filled.rows)} rows{_best(filled)}")
        if filled.missing:
            lines += [f"  missing: {'; '.join(filled.missing)}", f"  to fill: {command(filled, storage=study.storage)}"]
    return lines + [f"Table {number}: left out; {reason}" for number, reason in study.left_out.items()]


def _best(filled: Filled) -> str:
    """The best accuracy of each group and the number of rows tied with it; empty if the first score is another."""
    if filled.table.columns[0].key != "accuracy":
        return ""
    best = [f"{row.cells[0]} ({filled.describe(row)})" for row in filled.rows if row.cells[0].best]
    near = sum(row.cells[0].tied for row in filled.rows)
    tied = f"; {near} more tied with the best" if near else ""
    return f", best {filled.table.columns[0].label} {', '.join(best)}{tied}" if best else ""


if __name__ == "__main__":
    sys.exit(main())
