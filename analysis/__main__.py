"""Print the study: `python -m analysis`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis import audit, latex, report, verify
from analysis.across import ranks
from analysis.evidence import power_lines
from analysis.grid import Grid, grid
from analysis.lines import cell_lines, cost_lines, delta_lines, to_csv
from analysis.load import Study, add_arguments, load
from analysis.markup import to_html, to_markdown
from analysis.notes import REHEARSAL_NOTE
from analysis.tables import Filled, table_csv
from analysis.which import arguments, command
from search_spaces.paper import PROPOSED
from study.storage import Storage

EXAMPLES = """\
examples:
  python -m analysis                                print the one study whose runs are in runs/
  python -m analysis --runs /mnt/wbc --out paper    ... in another storage, into paper/
  python -m analysis --wandb ENTITY/wbc-study       ... on a W&B server
  python -m analysis --set epochs=2 image_size=64   of several studies, the one that was run with these
  python -m analysis --set                          of several studies, the paper itself: nothing set
  python -m analysis audit                          hold the article's tables against themselves (needs no runs)
  python -m analysis verify                         hold the study's numbers against the article's

exit status: 0 every row is filled, 1 rows are missing (each is named, with what runs it), 2 nothing could be printed
"""
COMMANDS = {"audit": audit.main, "verify": verify.main}
SUFFIXES = ("tex", "csv", "md", "html")


def main(argv: Sequence[str] | None = None) -> int:
    """Read the runs, write every table, say what is missing; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in COMMANDS:
        return COMMANDS[words[0]](words[1:])
    args = parser().parse_args(words)
    try:
        study = load(args)
        args.out.mkdir(parents=True, exist_ok=True)
    except (LookupError, ValueError, OSError, ImportError) as error:
        print(f"python -m analysis: {error}", file=sys.stderr)
        return 2
    _write(study, args.out)
    print("\n".join(_summary(study)))
    read = {record.trial.id for record in study.records}
    unread = sorted(Storage(str(study.storage)).finished() - read) if study.storage else []
    if unread:
        print(f"{len(unread)} finished trials in {args.runs} have no W&B run that can be read: {', '.join(unread)}")
    print(
        f"Written to {args.out.absolute()}: tables.tex and report.html; of each table .tex, .csv, .md and .html; "
        "cells.csv, deltas.csv, power.csv, costs.csv"
    )
    return 1 if unread or any(filled.missing for filled in study.tables) else 0


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="python -m analysis",
        description="Read finished runs from W&B and write the paper's tables as LaTeX, CSV and one HTML page.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(described)
    return described


def _write(study: Study, out: Path) -> None:
    """Overwrite all files; those of a table that is not printed now may be another study's, and go."""
    for stale in [file for suffix in SUFFIXES for file in out.glob(f"table_*.{suffix}")]:
        stale.unlink()
    for name, text in outputs(study).items():
        (out / name).write_text(text, encoding="utf-8")


def outputs(study: Study) -> dict[str, str]:
    """The text of every file, by name."""
    grids = [grid(filled) for filled in study.tables]
    grids += [ranked for filled in study.tables if filled.table.number == "12" and (ranked := ranks(filled))]
    files = {name: text for boxes in grids for name, text in _formats(boxes).items()}
    files |= {f"table_{filled.table.number}.csv": table_csv(filled) for filled in study.tables}
    files["tables.tex"] = latex.document([boxes.number for boxes in grids])
    files["report.html"] = report.render(study.tables, left_out=study.left_out, storage=study.storage)
    lines = {
        "cells": [line for one in study.evidence for line in cell_lines(one)],
        "deltas": [line for one in study.evidence for line in delta_lines(one, PROPOSED.override(study.overrides))],
        "power": [line for one in study.evidence for line in power_lines(one)],
        "costs": cost_lines(study.tables),
    }
    kind = "rehearsal" if study.rehearsal else "measured"
    return files | {f"{name}.csv": to_csv(each, kind=kind) for name, each in lines.items()}


def _formats(boxes: Grid) -> dict[str, str]:
    texts = {"tex": latex.render(boxes), "md": to_markdown(boxes), "html": to_html(boxes)}
    return {f"table_{boxes.number}.{suffix}": text for suffix, text in texts.items()}


def _summary(study: Study) -> list[str]:
    """One line a table, and what it lacks."""
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
    """The best of the first score, in each group, where it is the overall accuracy."""
    if filled.table.columns[0].key != "accuracy":
        return ""
    best = [f"{row.cells[0]} ({filled.describe(row)})" for row in filled.rows if row.cells[0].best]
    return f", best {filled.table.columns[0].label} {', '.join(best)}" if best else ""


if __name__ == "__main__":
    sys.exit(main())
