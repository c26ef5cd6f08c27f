"""How a study stands, from its storage: `python -m study.status`, in any shell on any machine that can read it."""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from rich.console import Console

from study.board import Standing, Status, board, count, time_left
from study.costs import Costs
from study.leases import newest
from study.plan import Trial
from study.progress import BEST
from study.storage import Storage, place

PLAN = "plan.json"


def write_plan(storage: Storage, trials: Sequence[Trial]) -> None:
    """What the newest launch was asked for."""
    storage.write(PLAN, json.dumps([trial.to_json() for trial in trials]).encode())


def read_plan(storage: Storage) -> list[Trial]:
    """
    Raises:
        LookupError: nothing was launched there.
    """
    content = storage.read(PLAN)
    if content is None:
        raise LookupError(f"no study was launched in {storage.root}: give its --storage")
    return [Trial.from_json(trial) for trial in json.loads(content)]


def standings(storage: Storage, trials: Sequence[Trial]) -> dict[str, Standing]:
    """Of each planned trial, as far as its files tell."""
    finished = storage.finished()
    return {trial.id: _standing(storage, trial, finished=trial.id in finished) for trial in trials}


def _standing(storage: Storage, trial: Trial, *, finished: bool) -> Standing:
    files = storage.trial(trial.id)
    rows = files.epochs()
    best = max((row[BEST] for row in rows), default=0.0)
    if finished:
        return Standing(Status.DONE, len(rows), best)
    holder = newest(files.folder)[1]
    if holder is not None and holder.alive():
        return Standing(Status.RUNNING, len(rows), best)
    return Standing(Status.FAILED if files.failure() else Status.TO_GO, len(rows), best)


def main(argv: Sequence[str] | None = None) -> int:
    """0: everything is done. 1: not yet. 2: there is no study there."""
    p = argparse.ArgumentParser(prog="python -m study.status", description="Show how a study stands, table by table.")
    p.add_argument("--storage", default="runs", metavar="DIR|URL", help="where its results go (runs)")
    p.add_argument("--watch", type=float, metavar="SECONDS", help="look again and again, until everything is done")
    args = p.parse_args(argv)
    storage = Storage(place(args.storage))
    console = Console()
    while True:
        try:
            trials = read_plan(storage)
        except LookupError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        seen, costs = standings(storage, trials), Costs.read(storage)
        running = count(seen, Status.RUNNING)
        left = time_left(trials, seen, seconds=costs.seconds, at_a_time=running)
        if args.watch:
            console.clear()
        console.print(board(trials, seen, left=left))
        for trial in trials:
            if seen[trial.id].status is Status.FAILED and (failure := storage.trial(trial.id).failure()):
                console.print(f"failed: {trial.id}  {trial.name}: {failure.error}", markup=False, highlight=False)
        if all(standing.status is Status.DONE for standing in seen.values()):
            return 0
        if not args.watch:
            return 1
        time.sleep(args.watch)


if __name__ == "__main__":
    sys.exit(main())
