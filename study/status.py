"""The progress of a study, from its storage, on any machine that can read it: `python -m study.status`."""

import argparse
import sys
import time
from collections.abc import Sequence

from rich.console import Console

from study.arguments import add_storage
from study.costs.model import Costs
from study.progress.from_storage import progress_of
from study.progress.table import Status, board, count, time_left
from study.storage import Storage, place, read_plan
from wbc_model.errors import reports_input_errors
from wbc_model.plain_text import printable


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """0: every trial is finished. 1: some are not, or a file is damaged. 2: there is no study in the storage."""
    p = argparse.ArgumentParser(
        prog="python -m study.status", description="Show the progress of a study, table by table."
    )
    add_storage(p, help="folder or URL of the study's results (runs)")
    p.add_argument("--watch", type=float, metavar="SECONDS", help="refresh every so many seconds until all is done")
    args = p.parse_args(argv)
    storage = Storage(place(args.storage))
    console = Console()
    while True:
        trials = read_plan(storage)
        seen, (costs, damaged) = progress_of(storage, trials), Costs.read_or_none(storage)
        damaged += [problem for each in seen.values() for problem in each.damaged]
        running = count(seen, Status.RUNNING)
        left = time_left(trials, seen, seconds=costs.seconds, at_a_time=running)
        if args.watch:
            console.clear()
        console.print(board(trials, seen, left=left))
        for trial in trials:
            if seen[trial.id].status is Status.FAILED and (failure := storage.trial(trial.id).failure()):
                told = printable(f"failed: {trial.id}  {trial.name}: {failure.error}")
                console.print(told, markup=False, highlight=False)
        for problem in damaged:
            console.print(printable(problem), markup=False, highlight=False, soft_wrap=True)
        if all(each.status is Status.DONE for each in seen.values()):
            return int(bool(damaged))
        if not args.watch:
            return 1
        time.sleep(args.watch)


if __name__ == "__main__":
    sys.exit(main())
