"""Run the study: `ray submit cluster.yaml study/run.py -- ...` on a cluster, `python study/run.py ...` here."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from search_spaces.extensions import catalogue
from search_spaces.rehearsal import REHEARSAL
from search_spaces.table import effective, parse_overrides, select
from study.plan import Trial, overview, plan, remaining
from study.settings import Settings
from study.storage import Storage
from wbc_model.choices import Dataset
from wbc_model.datasets import DataError, default_cache

EXAMPLES = """examples:
  study/run.py --rehearse                       the whole study in miniature, on drawn cells: no data, no account
  study/run.py --plan                           what the paper's study would run, and what is finished of it
  study/run.py --data ~/wbc                     the paper's study: 46 trainings, tables 4-12
  study/run.py --data ~/wbc --tables 5 6 --seeds 0 1 2
  study/run.py --data ~/wbc --tables E1         beyond the paper: what do its unstated choices matter?
  study/run.py --data ~/wbc --tables 11 --datasets bccd --set epochs=2 image_size=96

Submitting again is always safe: only what is not finished in --storage is run. W&B is used as its own variables say
(WANDB_MODE, WANDB_API_KEY, ...); without a key runs are kept offline in --storage. Then: python -m analysis --help
"""

STOPPED = 130
"""Exit status of a study that was asked to stop, as of any command after Ctrl-C."""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="study/run.py",
        description="Train what the tables of Chen et al. 2022 need, each trial once, on a Ray cluster or here.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ", ".join(Dataset)
    what = p.add_argument_group("what to run")
    what.add_argument(
        "--tables", nargs="+", type=str.upper, default=[], metavar="N", help="only these tables (4 ... 12, E1 ... E3)"
    )
    what.add_argument(
        "--datasets", nargs="+", type=str.lower, default=[], metavar="NAME", help=f"only rows on these: {names}"
    )
    what.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N", help="one trial a seed (0)")
    what.add_argument("--set", nargs="+", default=[], metavar="KNOB=VALUE", dest="overrides",
                      help="set a knob of every row; such trials have ids of their own")  # fmt: skip
    what.add_argument("--rehearse", action="store_true", help="in miniature: tiny networks, drawn cells, few epochs")
    how = p.add_argument_group("instead of running")
    how.add_argument("--plan", action="store_true", help="say per table what is to run, and launch nothing")
    how.add_argument("--json", action="store_true", help="with --plan: as JSON")
    where = p.add_argument_group("where")
    where.add_argument("--data", type=Path, metavar="DIR", help="folder of the published datasets (data)")
    where.add_argument("--weights", type=Path, metavar="DIR", help="folder of ImageNet weights (else timm's hub)")
    where.add_argument("--storage", metavar="DIR|URL", help="results (runs; runs/rehearsal for a rehearsal)")
    where.add_argument("--cache", type=Path, metavar="DIR", help=f"prepared images, per machine ({default_cache()})")
    where.add_argument("--cache-limit", type=float, metavar="GB", help="let the cache grow no larger (its disk)")
    where.add_argument("--cpus", type=float, default=1, metavar="N", help="CPU cores a trial (1)")
    where.add_argument("--gpus", type=float, metavar="X", help="GPUs a trial, may be a fraction (1 if there are any)")
    where.add_argument("--project", default="wbc-study", metavar="P", help="W&B project (wbc-study)")
    where.add_argument("--entity", metavar="E", help="W&B entity")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """0: every planned trial is finished. 1: some are not. 2: the input would not do, and nothing was launched."""
    args = parser().parse_args(argv)
    try:
        if args.json and not args.plan:
            raise ValueError("--json tells a plan: use it with --plan")
        overrides = effective((REHEARSAL if args.rehearse else {}) | parse_overrides(args.overrides))
        tables = select(catalogue(args.tables), numbers=args.tables, datasets=args.datasets, overrides=overrides)
        trials = plan(tables, seeds=args.seeds, overrides=overrides)
        finished = Storage(_storage(args)).finished()
        if args.plan:
            _print_plan(overview(tables, trials, finished), as_json=args.json)
            return 0
        to_run = remaining(trials, finished)
        settings = _settings(args)
        _check_inputs(to_run, settings, rehearse=args.rehearse)
    except (LookupError, ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    status = _run(trials, to_run, settings)
    return max(status, _tabulate(args, settings, overrides)) if args.rehearse else status


def _storage(args: argparse.Namespace) -> str:
    place = args.storage or ("runs/rehearsal" if args.rehearse else "runs")
    return place if "://" in place else str(Path(place).absolute())


def _print_plan(plan: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(plan, indent=2, ensure_ascii=False))
        return
    numbers = ("rows", "configs", "trials", "finished", "to_run")
    print(f"{'':48}" + "".join(f"{name.replace('_', ' '):>10}" for name in numbers))
    for row in [*plan["tables"], {"title": "All, each training once"} | plan]:
        label = f"Table {row['table']}: {row['title']}" if "table" in row else row["title"]
        print(f"{label:48}" + "".join(f"{row[name]:>10}" for name in numbers))


def _settings(args: argparse.Namespace) -> Settings:
    """Where to run, as the arguments and W&B's variables say; a rehearsal keeps its data and weights in its storage.

    Raises:
        ValueError: variables or arguments that make no sense.
    """
    from study.tracking import mode  # W&B loads only when something is to run

    if args.rehearse and (args.data or args.weights):
        raise ValueError("--rehearse draws its own data and trains its own weights: leave out --data and --weights")
    if args.rehearse and "://" in _storage(args):
        raise ValueError(f"--rehearse keeps its data in its storage and wants a folder, got {args.storage}")
    home = Path(_storage(args))
    weights = args.weights.absolute() if args.weights else None
    return Settings(
        data=home / "data" if args.rehearse else (args.data or Path("data")).absolute(),
        weights=home / "weights" if args.rehearse else weights,
        cache=(args.cache or default_cache()).absolute(),
        cache_limit=args.cache_limit,
        storage=_storage(args),
        project=args.project,
        entity=args.entity,
        tracking=mode(offline=args.rehearse),
        cpus=args.cpus,
        gpus=args.gpus,
    )


def _check_inputs(trials: Sequence[Trial], settings: Settings, *, rehearse: bool) -> None:
    """Make what a rehearsal needs; then see that data and weights are there and fit.

    Raises:
        ValueError: naming what is missing, damaged or unfit.
    """
    from study.execute import check_inputs  # torch loads only when something is to run

    if rehearse:
        from study.rehearsal import set_up

        set_up(trials, settings)
    try:
        for note in check_inputs(trials, settings):
            print(note, file=sys.stderr)
    except DataError as error:
        raise DataError(f"{error}\nPoint --data at the folder of the datasets; --rehearse needs none.") from error


def _run(trials: Sequence[Trial], to_run: Sequence[Trial], settings: Settings) -> int:
    """Launch, then say what failed and what is missing."""
    from study.digest import digest
    from study.launch import launch

    done = len(trials) - len(to_run)
    print(f"{len(trials)} trials: {done} finished, {len(to_run)} to run. Results: {settings.storage}. "
          f"W&B: {settings.tracking}.", file=sys.stderr, flush=True)  # fmt: skip
    if settings.tracking == "disabled":
        print("W&B is disabled: python -m analysis reads W&B, and will find nothing of these trials.", file=sys.stderr)
    if not to_run:
        return 0
    schedule = launch(to_run, settings)
    missing = remaining(trials, Storage(settings.storage).finished())
    print(digest(schedule, missing, planned=len(trials)), end="", file=sys.stderr)
    return (STOPPED if schedule.stopping else 1) if missing else 0


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
