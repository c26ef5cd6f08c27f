"""Show the study on a W&B server: `python -m analysis dashboard`."""

import argparse
from collections.abc import Sequence

from analysis.arguments import add_arguments, parse
from analysis.load import load
from wbc_model.errors import InputError, reports_input_errors

EXAMPLES = """\
examples:
  python -m analysis dashboard --wandb ENTITY/wbc-study
  python -m analysis dashboard --wandb ENTITY/wbc-study --set epochs=2   of several studies, the one run with this

Run it again when more runs have finished: it replaces the workspace and the report of the same name. Without a server,
`wandb leet runs/wandb` shows the runs in the terminal, and `python -m analysis` writes report.html.
"""


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0: the dashboards are up to date; 1: they are, but runs are missing; 2: nothing could be made."""
    options = parse(parser(), argv)
    options.pop("out")  # nothing is written on this machine
    if not options["wandb"]:
        offline = f"wandb leet {options['storage']}/wandb shows the runs, python -m analysis writes report.html"
        raise InputError(f"a dashboard needs --wandb ENTITY/PROJECT; without a server: {offline}")
    study = load(**options)
    from analysis.output.wandb_views import save  # the client of W&B's workspaces takes seconds to load

    for kind, address in save(study, options["wandb"]).items():
        print(f"{kind}: {address}")
    missing = [f"Table {filled.table.number}: rows are missing" for filled in study.tables if filled.missing]
    missing += [f"not read: {problem}" for problem in study.reading.problems]
    for line in missing:
        print(line)
    return 1 if missing else 0


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="python -m analysis dashboard",
        description="Create or update a W&B workspace with a section per table, and a W&B report.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(described)
    return described
