"""The command line of `study/run.py`: its parser, and how a command is spelt."""

import argparse
import json
import os
import shlex
from collections.abc import Collection, Iterable
from typing import Any, get_args

from search_spaces.rehearsal import REHEARSAL
from study.settings import KeepWeights
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import BUILT_IN
from wbc_model.files import user_path

EXAMPLES = """examples:
  study/run.py --rehearse                       the whole study in miniature, on drawn cells: no data, no account
  study/run.py --plan                           what the paper's study would run, what is finished of it, what it costs
  study/run.py --data ~/wbc                     the paper's study: 46 trainings, tables 4-12
  study/run.py --data ~/wbc --tables 5 6 --seeds 0 1 2
  study/run.py --data ~/wbc --tables E1         beyond the paper: how much do its unstated choices matter?
  study/run.py --data ~/wbc --tables E6         ... trained on one dataset, tested on each of the four
  study/run.py --data ~/wbc --tables E7         ... newer networks from timm
  study/run.py --data ~/wbc --tables E9 E10     ... stains normalised, or jittered in training
  study/run.py --data ~/wbc --tables 11 --datasets bccd --set epochs=2 image_size=96
  study/run.py --data s3://bucket/wbc           ... each machine copies what is new there to its cache
  study/run.py --dataset ~/cells                the compared models on your own folder of class folders
  study/run.py --data ~/wbc --doctor                              is every node of the cluster fit for it?
  study/run.py --data ~/wbc --calibrate --gpu-price 2.5           seconds and money, from a few steps of each model
  study/run.py --data ~/wbc --budget 40                           start no trial that would exceed 40 GPU-hours
  study/run.py --data ~/wbc --search architecture --samples 30 --asha

Submitting again is always safe: only trials that are not finished in --storage are run, each from its last epoch. W&B
is configured by its own variables (WANDB_MODE, WANDB_API_KEY, ...); without a key, runs are kept offline in --storage.
Ctrl-C lets each trial finish its epoch, a second one stops at once. To see the progress from another shell:
python -m study.status. To print the tables: python -m analysis

exit status: 0 all trials are finished, 1 some are missing, 2 invalid arguments or input, 130 stopped by Ctrl-C
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="study/run.py",
        description="Train what the tables of Chen et al. 2022 need, each trial once, on a Ray cluster or here.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _what(p.add_argument_group("what to run"))
    _search(p.add_argument_group("a search instead of tables"))
    _instead(p.add_argument_group("instead of running"))
    _where(p.add_argument_group("where and how"))
    return p


def _what(group: argparse._ArgumentGroup) -> None:
    names = ", ".join(BUILT_IN)
    group.add_argument(
        "--tables", nargs="+", type=str.upper, default=[], metavar="N", help="only these tables (4 ... 12, E1 ... E10)"
    )
    group.add_argument(
        "--datasets", nargs="+", type=str.lower, default=[], metavar="NAME", help=f"only rows on these: {names}"
    )
    group.add_argument("--dataset", nargs="+", default=[], metavar="[NAME=]DIR|URL",
                       help="your own datasets: each a folder of class folders, or its .toml")  # fmt: skip
    group.add_argument(
        "--seeds", nargs="+", type=_seed, default=[0], metavar="N", help="train each config once per seed (0)"
    )
    group.add_argument("--set", nargs="+", default=[], metavar="KNOB=VALUE", dest="overrides",
                       help="set a knob in every row; such trials have other ids")  # fmt: skip
    group.add_argument(
        "--rehearse", action="store_true", help="run in miniature: tiny networks, drawn cells, few epochs"
    )
    group.add_argument(
        "--rerun-stale", action="store_true", help="retrain finished trials whose data or weights have changed"
    )
    group.add_argument("--budget", type=float, metavar="HOURS",
                       help="start no trial that would exceed so many GPU-hours (core-hours without GPUs)")  # fmt: skip


def _seed(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 999999999")
    return int(text)


def _search(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--search", metavar="NAME", help="let Optuna choose configs by validation accuracy (?: list the searches)"
    )
    group.add_argument("--samples", type=int, default=20, metavar="N", help="total number of trials of the search (20)")
    group.add_argument("--asha", action="store_true", help="stop trials early that are worse than half of the others")


def _instead(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--plan", action="store_true", help="print per table what would run and what it costs")
    group.add_argument("--doctor", action="store_true", help="examine every node, as a launch on several nodes does")
    group.add_argument("--calibrate", action="store_true", help="time a few steps of each model, then print the plan")
    group.add_argument("--gpu-price", type=float, metavar="X", help="with --plan or --calibrate: price of a GPU-hour")
    group.add_argument("--json", action="store_true", help="with --plan: print JSON")


def _where(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--data", metavar="DIR|URL", help="folder of the published datasets (data)")
    group.add_argument("--weights", metavar="DIR|URL", help="folder of pre-trained weights (default: the hub)")
    add_storage(group, default=None, help="folder or URL of the results (runs; runs/rehearsal for a rehearsal)")
    group.add_argument(
        "--cache",
        type=user_path,
        metavar="DIR",
        help="folder of prepared images and copies on each machine (wbc-study in XDG_CACHE_HOME or ~/.cache)",
    )
    group.add_argument("--cache-limit", type=float, metavar="GB", help="maximum size of the cache (its disk)")
    group.add_argument("--cpus", type=float, default=1, metavar="N", help="CPU cores per trial (1)")
    group.add_argument("--gpus", type=float, metavar="X", help="GPUs per trial (what its measured memory allows, or 1)")
    group.add_argument("--eager", action="store_true", help="do not capture training steps as CUDA graphs on a GPU")
    group.add_argument("--keep-weights", choices=get_args(KeepWeights),
                       help="which trials keep their trained model (all; of a rehearsal, tiny ones)")  # fmt: skip
    group.add_argument("--leave-out-unfit", action="store_true", help="if some nodes are unfit, run on the others")
    add_project(group)
    group.add_argument("--quiet", action="store_true", help="print only the summary at the end")


def add_project(group: argparse._ActionsContainer) -> None:
    """Options for the W&B project, with defaults from W&B's own variables."""
    group.add_argument("--project", metavar="P", default=os.environ.get("WANDB_PROJECT") or "wbc-study",
                       help="W&B project (WANDB_PROJECT, or wbc-study)")  # fmt: skip
    group.add_argument("--entity", metavar="E", default=os.environ.get("WANDB_ENTITY") or None,
                       help="W&B entity (WANDB_ENTITY, or the key's own)")  # fmt: skip


def add_storage(group: argparse._ActionsContainer, *, default: str | None = "runs", help: str) -> None:
    """The study's storage; `--runs`, the older name of the analysis, is still understood."""
    group.add_argument("--storage", default=default, metavar="DIR|URL", help=help)
    group.add_argument("--runs", dest="storage", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def command_line(
    *, tables: Iterable[str], own: Collection[str] = (), datasets: Iterable[str] = (), overrides: dict[str, Any],
    seeds: Collection[int] = (0,), storage: str | None = None,
) -> str:  # fmt: skip
    """The command line that runs tables: what the parser would read back.

    Args:
        own: the user's own datasets, as `NAME=FOLDER`.
        datasets: only their rows; none: all.
        overrides: knobs that are set for the whole study; those of a rehearsal become `--rehearse`.
        storage: where to; None, or the one that would be used anyway, is not named.
    """
    words, usual = ["study/run.py"], "runs"
    if all(overrides.get(knob) == REHEARSAL[knob] for knob in ("trunks", *(["images"] * (not own)))):
        paper = TrialConfig().to_json()
        knobs = {knob: paper[knob] for knob in REHEARSAL} | overrides
        overrides = {knob: value for knob, value in knobs.items() if value != REHEARSAL.get(knob)}
        words.append("--rehearse")
        usual = "runs/rehearsal"
    chosen = {
        "--tables": tables,
        "--dataset": own,
        "--datasets": datasets,
        "--set": spelt(overrides),
        "--seeds": map(str, seeds) if tuple(seeds) != (0,) else (),
        "--storage": [shlex.quote(storage)] if storage and storage != usual else (),
    }
    words += [" ".join([option, *values]) for option, given in chosen.items() if (values := list(given))]
    return " ".join(words)


def spelt(overrides: dict[str, Any]) -> list[str]:
    """Overrides as they are typed after `--set`, word by word, quoted for a shell."""
    return [shlex.quote(f"{knob}={_typed(value)}") for knob, value in overrides.items()]


def _typed(value: Any) -> str:
    """As `parse_overrides` reads it back: a string goes bare, unless it would be read as something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except json.JSONDecodeError:
        return value
    return json.dumps(value)
