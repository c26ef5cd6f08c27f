"""Print the study: `python -m analysis`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis import latex, report
from analysis.grid import grid
from analysis.markup import to_html, to_markdown
from analysis.notes import REHEARSAL_NOTE
from analysis.pdf import compile_pdf
from analysis.runs import Reading, read
from analysis.tables import Filled, fill, to_csv
from analysis.which import arguments, choose, command, tables_under
from search_spaces.table import Table, configs, effective, parse_overrides
from study.plan import RunRecord

EXAMPLES = """\
examples:
  python -m analysis                                print the one study whose runs are in runs/
  python -m analysis --runs /mnt/wbc --out paper    ... in another storage, into paper/
  python -m analysis --wandb ENTITY/wbc-study       ... on a W&B server
  python -m analysis --set epochs=2 image_size=64   of several studies, the one that was run with these
  python -m analysis --data ~/wbc                   ... figures 2 and 5 with real images
  python -m analysis --set                          of several studies, the paper itself: nothing set

exit status: 0 every row is filled, 1 rows are missing (each is named, with what runs it), 2 nothing could be printed
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Read the runs, write every table, say what is missing; returns the exit status."""
    args = parser().parse_args(argv)
    try:
        reading = read(args.runs, wandb=args.wandb)
        records = reading.records
        wanted = None if args.set is None else effective(parse_overrides(args.set))
        overrides = choose(records, wanted, where=args.wandb or str(args.runs))
        possible, left_out = tables_under(overrides, numbers=args.tables, datasets=args.datasets)
        tables = _fill(possible, records, seeds=args.seeds, overrides=overrides)
        args.out.mkdir(parents=True, exist_ok=True)
    except (LookupError, ValueError, OSError, ImportError) as error:
        print(f"python -m analysis: {error}", file=sys.stderr)
        return 2
    storage = None if args.wandb else args.runs
    _write(tables, args.out)
    print("\n".join(_summary(tables, left_out=left_out, storage=storage)))
    print(compile_pdf(args.out / "tables.tex"))
    figures = _draw(tables, reading, args) if args.figures else []
    page = report.render(tables, reading, left_out=left_out, storage=storage, figures=figures)
    (args.out / "report.html").write_text(page, encoding="utf-8")
    for line in (*reading.notes, *(f"not read: {problem}" for problem in reading.problems)):
        print(line)
    print(f"Written to {args.out.absolute()}: tables.tex and report.html, and of each table .tex, .csv, .md and .html")
    return 1 if reading.problems or any(filled.missing for filled in tables) else 0


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="python -m analysis",
        description="Read finished runs from W&B and write the paper's tables as LaTeX, CSV and one HTML page.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = described.add_mutually_exclusive_group()
    source.add_argument(
        "--runs", type=Path, default="runs", metavar="STORAGE", help="folder of offline runs [%(default)s]"
    )
    source.add_argument("--wandb", metavar="ENTITY/PROJECT", help="a project on the W&B server")
    described.add_argument("--set", nargs="*", metavar="KNOB=VALUE", help="which study, if there are runs of several")
    described.add_argument("--tables", nargs="+", type=str.upper, default=[], metavar="N", help="only these [all nine]")
    described.add_argument(
        "--datasets", nargs="+", type=str.lower, default=[], metavar="NAME", help="only rows on these [all four]"
    )
    described.add_argument(
        "--seeds", nargs="+", type=int, metavar="N", help="those every row should have [any there is]"
    )
    described.add_argument(
        "--data", type=Path, metavar="DIR", help="published images, for the figures that show some [drawn ones]"
    )
    described.add_argument(
        "--no-figures", dest="figures", action="store_false", help="tables and report only: seconds faster"
    )
    described.add_argument("--out", type=Path, default="build", metavar="FOLDER", help="where to write [%(default)s]")
    return described


def _fill(
    tables: Sequence[Table], records: Sequence[RunRecord], *, seeds: Sequence[int] | None, overrides: dict[str, Any]
) -> list[Filled]:
    """Every table, with the seeds that are asked for, or else all that any row of any of them has."""
    ids = {config.id for config in configs(tables)}
    seeds = seeds or sorted({record.trial.seed for record in records if record.trial.config.id in ids}) or [0]
    return [fill(table, records, seeds=seeds, overrides=overrides) for table in tables]


def _write(tables: Sequence[Filled], out: Path) -> None:
    """Overwrite all files; those of a table that is not printed now may be another study's, and go."""
    written: set[Path] = set()
    for filled in tables:
        boxes = grid(filled)
        texts = {"tex": latex.render(boxes), "csv": to_csv(filled), "md": to_markdown(boxes), "html": to_html(boxes)}
        for suffix, text in texts.items():
            file = out / f"table_{filled.table.number}.{suffix}"
            file.write_text(text, encoding="utf-8")
            written.add(file)
    for stale in {file for suffix in ("tex", "csv", "md", "html") for file in out.glob(f"table_*.{suffix}")} - written:
        stale.unlink()
    (out / "tables.tex").write_text(latex.document([filled.table.number for filled in tables]), encoding="utf-8")


def _draw(tables: Sequence[Filled], reading: Reading, args: argparse.Namespace) -> list[report.Figure]:
    """Write the figures, and say which cannot be drawn; returns them as the report shows them."""
    from analysis.figures.catalogue import draw, save  # matplotlib and torch take seconds to load

    storage = None if args.wandb else args.runs
    drawn, impossible = draw({f.table.number: f for f in tables}, reading, storage=storage, data=args.data)
    save(drawn, args.out)
    print(f"Figures {', '.join(figure.number for figure in drawn)}: drawn")
    for number, reason in impossible.items():
        print(f"Figure {number}: not drawn; {reason}")
    pictures = [(args.out / f"figure_{figure.number}.png").read_bytes() for figure in drawn]
    return [
        report.Figure(figure.number, figure.label, figure.heading, figure.caption, report.data_url(png, "image/png"))
        for figure, png in zip(drawn, pictures, strict=True)
    ]


def _summary(tables: Sequence[Filled], *, left_out: dict[str, str], storage: Path | None) -> list[str]:
    """One line a table, and what it lacks."""
    lines = [REHEARSAL_NOTE] if any(filled.rehearsal for filled in tables) else []
    lines += [f"Set: {arguments(tables[0].overrides)}"] if tables[0].overrides else []
    for filled in tables:
        number = filled.table.number
        there = sum(bool(row.runs) for row in filled.rows)
        lines.append(f"Table {number}: {there} of {len(filled.rows)} rows{_best(filled)}")
        if filled.missing:
            lines += [f"  missing: {'; '.join(filled.missing)}", f"  to fill: {command(filled, storage=storage)}"]
    return lines + [f"Table {number}: left out; {reason}" for number, reason in left_out.items()]


def _best(filled: Filled) -> str:
    """The best of the first score, in each group, where it is the overall accuracy."""
    if filled.table.columns[0].key != "accuracy":
        return ""
    best = [f"{row.cells[0]} ({filled.describe(row)})" for row in filled.rows if row.cells[0].best]
    return f", best {filled.table.columns[0].label} {', '.join(best)}" if best else ""


if __name__ == "__main__":
    sys.exit(main())
