"""Run the study: `ray submit cluster.yaml study/run.py -- ...` on a cluster, `python study/run.py ...` here."""

import json
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
from study.settings import LaunchOptions, Settings, own_datasets, settings_for
from study.storage import Storage
from wbc_model.datasets.dataset import BUILT_IN, DataError
from wbc_model.errors import InputError, reports_input_errors
from wbc_model.preparation.cache_folder import default_cache

WHERE_DATA_IS = "Point --data at the folder of the datasets; --rehearse needs none."


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """0: every planned trial is finished. 1: some are not. 2: invalid arguments or input. 130: stopped by Ctrl-C."""
    args = parser().parse_args(argv)
    _require_installed(Path(__file__))
    if args.search == "?":
        return _list_searches()
    overrides = effective(_usual(rehearse=args.rehearse, own=args.dataset) | parse_overrides(args.overrides))
    cache = (args.cache or default_cache()).absolute()
    own = own_datasets(args.dataset, cache=cache, limit=args.cache_limit)
    settings = settings_for(
        rehearse=args.rehearse, storage=args.storage, data=args.data, weights=args.weights, cache=cache,
        own=tuple((dataset.name, at) for dataset, at in own.items() if at), cache_limit=args.cache_limit,
        project=args.project, entity=args.entity, cpus=args.cpus, gpus=args.gpus, eager=args.eager,
        keep_weights=args.keep_weights,
    )  # fmt: skip
    options = LaunchOptions(rehearse=args.rehearse, budget_hours=args.budget, rerun_stale=args.rerun_stale,
                            leave_out_unfit=args.leave_out_unfit, quiet=args.quiet)  # fmt: skip
    if args.data and not args.doctor and isinstance(settings.data, Path) and not settings.data.is_dir():
        raise InputError(f"--data {args.data}: no such folder\n{WHERE_DATA_IS}")
    if args.search:
        return _search(args.search, settings, options, samples=args.samples, seed=args.seeds[0], overrides=overrides,
                       asha=args.asha)  # fmt: skip
    tables = select(catalogue(args.tables, own=tuple(own)), numbers=args.tables, datasets=args.datasets,
                    overrides=overrides)  # fmt: skip
    trials = plan(tables, seeds=args.seeds, overrides=overrides)
    if args.plan and not args.calibrate:
        return _plan(tables, trials, settings, gpu_price=args.gpu_price, as_json=args.json)
    if args.doctor:
        return _doctor(trials, settings, options)
    if args.calibrate:
        return _calibrate(tables, trials, settings, options, gpu_price=args.gpu_price)
    from study.session import STOPPED

    status = _run(trials, settings, options)
    chosen = {"tables": args.tables, "datasets": args.datasets, "seeds": args.seeds, "overrides": overrides}
    if not args.rehearse or status == STOPPED:
        return status
    return max(status, _print_tables(settings.storage, **chosen))


def _usual(*, rehearse: bool, own: Sequence[str]) -> dict[str, Any]:
    """What a rehearsal sets for every row; one of the user's own datasets trains on their images."""
    if not rehearse:
        return {}
    if drawn := [name for name in own if name in BUILT_IN]:
        raise InputError(f"--rehearse draws {', '.join(drawn)}: give --dataset your own folders alone")
    return {knob: value for knob, value in REHEARSAL.items() if knob != "images" or not own}


def _require_installed(script: Path) -> None:
    """`ray submit` copies this file alone, and it runs with the packages that are installed there.

    Raises:
        InputError: the installed program is another version.
    """
    if script.read_bytes() != (installed := ROOT / "study" / "run.py").read_bytes():
        raise InputError(
            f"{script} is not {installed}: another version of the program is installed here. Copy this one "
            "to a cluster with `ray up --no-restart cluster/cluster.yaml`, then submit again"
        )


def _plan(
    tables: Sequence[Table], trials: Sequence[Trial], settings: Settings, *, gpu_price: float | None, as_json: bool
) -> int:
    """Print what is to run, what it costs, and which records are stale; the exit status is that of a launch."""
    storage = Storage(settings.storage)
    records, (costs, damaged) = storage.records(), Costs.read_or_none(storage)
    finished = set(records.intact)
    found = estimate(tables, trials, finished, costs, cpus=settings.cpus, gpus=settings.gpus,
                     gpu_price=gpu_price, keeps=settings.keeps)  # fmt: skip
    remarks = [*damaged, *(problem for name, problem in records.damaged.items() if name in {t.id for t in trials})]
    status = int(bool(remarks))
    if recorded := [trial for trial in trials if trial.id in finished]:
        from study.trial.kept_model import without_model
        from study.trial.stale import compare  # torch loads only where there is something to compare

        compared = compare(recorded, settings)
        found |= {"stale": compared.stale, "not_compared": compared.not_compared}
        remarks += [*compared.lines(), *without_model(recorded, settings)]
        status = max(status, int(not compared.good))
    if found.get("stale"):
        remarks.append(f"{len(found['stale'])} finished trials are stale: --rerun-stale retrains them.")
    print(json.dumps(found, indent=2, ensure_ascii=False) if as_json else "\n".join([show(found), *remarks]))
    return status


def _doctor(trials: Sequence[Trial], settings: Settings, options: LaunchOptions) -> int:
    """Examine every node."""
    from study.session import doctor  # torch, ray and wandb load only when something runs

    if options.rehearse:
        from study.rehearsal import set_up

        set_up(trials, settings)
    return doctor(trials, _tracked(settings, options))


def _calibrate(
    tables: Sequence[Table], trials: Sequence[Trial], settings: Settings, options: LaunchOptions, *,
    gpu_price: float | None,
) -> int:  # fmt: skip
    """Measure what the unfinished trials cost, then print the plan."""
    from study.costs.measure import calibrated

    settings = _tracked(settings, options)
    _check_and_set_aside(trials, settings, options)
    finished = Storage(settings.storage).finished()
    costs = calibrated(remaining(trials, finished), settings)
    print(show(estimate(tables, trials, finished, costs, cpus=settings.cpus, gpus=settings.gpus, gpu_price=gpu_price,
                        keeps=settings.keeps)))  # fmt: skip
    return 0


def _run(trials: Sequence[Trial], settings: Settings, options: LaunchOptions) -> int:
    """Run what is not finished."""
    from study.session import run

    settings = _tracked(settings, options)
    outdated = _check_and_set_aside(trials, settings, options)
    return max(run(trials, settings, options), int(outdated))


def _check_and_set_aside(trials: Sequence[Trial], settings: Settings, options: LaunchOptions) -> bool:
    """Check what trials need that are to be trained, and the records of the others; whether these leave a problem."""
    from study.reconcile import restore_records
    from study.trial.stale import compare, set_stale_aside

    finished = restore_records(settings, of={trial.id for trial in trials})
    _check_inputs(remaining(trials, finished), settings, rehearse=options.rehearse)
    compared = compare([trial for trial in trials if trial.id in finished], settings)
    if options.rerun_stale and compared.stale:
        _check_inputs([t for t in trials if t.id in compared.stale], settings, rehearse=options.rehearse)
    return set_stale_aside(compared, settings, rerun=options.rerun_stale)


def _list_searches() -> int:
    from search_spaces.tuning import SEARCHES

    print("\n".join(f"{name:24} {search.title}" for name, search in SEARCHES.items()))
    return 0


def _search(
    name: str, settings: Settings, options: LaunchOptions, *, samples: int, seed: int, overrides: dict[str, Any],
    asha: bool,
) -> int:  # fmt: skip
    """Let Optuna choose the trials, in a storage of their own below the study's."""
    from study.search import Search
    from study.session import run_search

    settings = replace(_tracked(settings, options), storage=f"{settings.storage}/searches/{name}", search=name)
    search = Search(name, Storage(settings.storage), samples=samples, overrides=overrides, seed=seed)
    _check_inputs([search.example()], settings, rehearse=options.rehearse)
    return run_search(search, settings, options, asha=asha)


def _tracked(settings: Settings, options: LaunchOptions) -> Settings:
    """The settings with W&B's mode, as its own variables say. Where Ray cannot run is told before anything is made."""
    from study.ray_backend.connect import find_cluster
    from study.tracking.wandb_run import mode

    find_cluster()
    return replace(settings, tracking=mode(offline=options.rehearse))


def _check_inputs(trials: Sequence[Trial], settings: Settings, *, rehearse: bool) -> None:
    """Make what a rehearsal needs; then check W&B, data and weights.

    Raises:
        InputError: data or weights are missing, damaged or unfit, or W&B does not accept runs.
    """
    from study.tracking.wandb_run import check
    from study.trial.inputs import check_inputs

    check(settings)
    if rehearse:
        from study.rehearsal import set_up

        set_up(trials, settings)
    try:
        for note in check_inputs(trials, settings):
            print(note, file=sys.stderr)
    except DataError as error:
        raise DataError(f"{error}\n{WHERE_DATA_IS}") from error


def _print_tables(storage: str, **chosen: Any) -> int:
    """A rehearsal ends in its tables, made as any study's are; the exit status of the analysis."""
    from analysis.__main__ import print_study  # the one import from the layer above: pyproject.toml lists it

    return print_study(out=Path("build") / "rehearsal", storage=storage, **chosen)


if __name__ == "__main__":
    sys.exit(main())
