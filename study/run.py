"""Run the study: `ray submit cluster.yaml study/run.py -- ...` on a cluster, `python study/run.py ...` here."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from search_spaces.catalogue import catalogue
from search_spaces.rehearsal import REHEARSAL
from search_spaces.table import Table, effective, parse_overrides, select
from study.arguments import parser
from study.costs.model import Costs
from study.costs.report import estimate, show
from study.plan import Trial, plan, remaining
from study.provenance import ROOT
from study.settings import Settings
from study.storage import Storage, place
from wbc_model.datasets.dataset import BUILT_IN, DataError
from wbc_model.datasets.declare import all_of
from wbc_model.errors import InputError, reports_input_errors, validating
from wbc_model.preparation.cache_folder import default_cache


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """0: every planned trial is finished. 1: some are not. 2: invalid arguments or input. 130: stopped by Ctrl-C."""
    args = parser().parse_args(argv)
    _require_installed(Path(__file__))
    overrides = effective(_usual(args) | parse_overrides(args.overrides))
    if args.search:
        return _search(args, overrides)
    offered = catalogue(args.tables, own=tuple(all_of(args.dataset)))
    tables = select(offered, numbers=args.tables, datasets=args.datasets, overrides=overrides)
    trials = plan(tables, seeds=args.seeds, overrides=overrides)
    if args.plan and not args.calibrate:
        return _plan(args, tables, trials)
    return _study(args, tables, trials, overrides)


def _usual(args: argparse.Namespace) -> dict[str, Any]:
    """What a rehearsal sets for every row; one of the user's own datasets trains on their images."""
    if not args.rehearse:
        return {}
    if drawn := [name for name in args.dataset if name in BUILT_IN]:
        raise InputError(f"--rehearse draws {', '.join(drawn)}: give --dataset your own folders alone")
    return {knob: value for knob, value in REHEARSAL.items() if knob != "images" or not args.dataset}


def _require_installed(script: Path) -> None:
    """`ray submit` copies this file alone: what it runs on is what was installed before.

    Raises:
        InputError: the installed program is another than the one that the script is of.
    """
    if script.read_bytes() != (installed := ROOT / "study" / "run.py").read_bytes():
        raise InputError(
            f"{script} is not {installed}: another version of the program is installed here. To a cluster "
            "`ray up --no-restart cluster/cluster.yaml` sends it; then submit again"
        )


def _plan(args: argparse.Namespace, tables: Sequence[Table], trials: Sequence[Trial]) -> int:
    """Say what is to run, what it costs, and which records were made from other data or weights."""
    storage = Storage(_storage(args))
    finished = storage.finished()
    found = estimate(tables, trials, finished, Costs.read(storage), args)
    there = [trial for trial in trials if trial.id in finished]
    if there:
        from study.trial.inputs import stale  # torch loads only where there is something to compare

        found["stale"] = stale(there, _settings(args))
    print(json.dumps(found, indent=2, ensure_ascii=False) if args.json else show(found))
    return 0


def _study(
    args: argparse.Namespace, tables: Sequence[Table], trials: Sequence[Trial], overrides: dict[str, Any]
) -> int:
    """Run what is not finished."""
    from study.session import calibrated, doctor, run, set_stale_aside  # torch and ray load only when something runs

    settings = _settings(args)
    if args.doctor:
        if args.rehearse:
            _draw(trials, settings)
        return doctor(trials, settings)
    storage = Storage(settings.storage)
    finished = storage.finished()
    _check_inputs(remaining(trials, finished), settings, rehearse=args.rehearse)
    done = [trial for trial in trials if trial.id in finished]
    outdated = set_stale_aside(done, settings, rerun=args.rerun_stale)
    if args.calibrate:
        finished = storage.finished()
        costs = calibrated(remaining(trials, finished), settings)
        print(show(estimate(tables, trials, finished, costs, args)))
        return 0
    budget = None if args.budget is None else 3600 * args.budget
    status = run(trials, settings, budget=budget, leave_out_unfit=args.leave_out_unfit, quiet=args.quiet)
    return max(status, int(outdated), _tabulate(args, settings, overrides) if args.rehearse else 0)


def _search(args: argparse.Namespace, overrides: dict[str, Any]) -> int:
    """Let Optuna choose the trials, in a storage of their own below the study's."""
    from search_spaces.tuning import SEARCHES

    if args.search == "?":
        print("\n".join(f"{name:24} {search.title}" for name, search in SEARCHES.items()))
        return 0
    from study.search import Search
    from study.session import run_search

    settings = _settings(args)
    settings = replace(settings, storage=f"{settings.storage}/searches/{args.search}", search=args.search)
    storage, seed = Storage(settings.storage), args.seeds[0]
    search = Search(args.search, storage, samples=args.samples, overrides=overrides, seed=seed)
    _check_inputs([search.example()], settings, rehearse=args.rehearse)
    budget = None if args.budget is None else 3600 * args.budget
    return run_search(
        search, settings, asha=args.asha, budget=budget, leave_out_unfit=args.leave_out_unfit, quiet=args.quiet
    )


def _storage(args: argparse.Namespace) -> str:
    return place(args.storage or ("runs/rehearsal" if args.rehearse else "runs"))


def _settings(args: argparse.Namespace) -> Settings:
    """Where to run, as the arguments and W&B's variables say; a rehearsal keeps its data and weights in its storage.

    Raises:
        InputError: variables or arguments that make no sense.
    """
    from study.tracking.wandb_run import mode  # W&B loads only when something is to run

    if args.rehearse and (args.data or args.weights):
        raise InputError("--rehearse draws its own data and trains its own weights: leave out --data and --weights")
    if args.rehearse and "://" in _storage(args):
        raise InputError(f"--rehearse keeps its data in its storage and wants a folder, got {args.storage}")
    home = Path(_storage(args))
    weights = args.weights.absolute() if args.weights else None
    with validating():
        return Settings(
            data=home / "data" if args.rehearse else (args.data or Path("data")).absolute(),
            folders={dataset.name: place for dataset, place in all_of(args.dataset).items() if place},
            weights=home / "weights" if args.rehearse else weights,
            cache=(args.cache or default_cache()).absolute(),
            cache_limit=args.cache_limit,
            storage=_storage(args),
            project=args.project,
            entity=args.entity,
            tracking=mode(offline=args.rehearse),
            cpus=args.cpus,
            gpus=args.gpus,
            eager=args.eager,
        )


def _check_inputs(trials: Sequence[Trial], settings: Settings, *, rehearse: bool) -> None:
    """Make what a rehearsal needs; then see that data, weights and W&B are there and fit.

    Raises:
        InputError: naming what is missing, damaged or unfit; or runs are to be online, and W&B does not let them in.
    """
    from study.tracking.wandb_run import check
    from study.trial.inputs import check_inputs

    check(settings)
    if rehearse:
        _draw(trials, settings)
    try:
        for note in check_inputs(trials, settings):
            print(note, file=sys.stderr)
    except DataError as error:
        raise DataError(f"{error}\nPoint --data at the folder of the datasets; --rehearse needs none.") from error


def _draw(trials: Sequence[Trial], settings: Settings) -> None:
    """A rehearsal's data and weights, where they are missing."""
    from study.rehearsal import set_up

    set_up(trials, settings)


def _tabulate(args: argparse.Namespace, settings: Settings, overrides: dict[str, Any]) -> int:
    """A rehearsal ends in its tables, made the way any study's are."""
    chosen = {
        "--runs": [settings.storage],
        "--out": [str(Path("build") / "rehearsal")],
        "--tables": args.tables,
        "--datasets": args.datasets,
        "--seeds": map(str, args.seeds),
        "--set": [f"{knob}={json.dumps(value)}" for knob, value in overrides.items()],
    }
    arguments = [word for option, values in chosen.items() if values for word in (option, *values)]
    return subprocess.run([sys.executable, "-m", "analysis", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
