"""The options that the commands of `python -m analysis` share: which study, and which part of it."""

import argparse
from collections.abc import Sequence
from typing import Any

from search_spaces.table import parse_overrides
from study.arguments import add_storage
from wbc_model.files import user_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that choose a study, named as the arguments of `load` are, and `--out`."""
    source = parser.add_mutually_exclusive_group()
    add_storage(source, help="the study's storage [%(default)s]")
    source.add_argument("--wandb", metavar="ENTITY/PROJECT", help="a project on the W&B server")
    add_selection(parser)
    add_out(parser)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The options that choose a part of a study."""
    parser.add_argument(
        "--set", nargs="*", dest="overrides", metavar="KNOB=VALUE", help="which study, if there are runs of several"
    )
    parser.add_argument("--tables", nargs="+", type=str.upper, default=[], metavar="N", help="only these [all nine]")
    parser.add_argument(
        "--datasets", nargs="+", type=str.lower, default=[], metavar="NAME", help="only rows on these [all four]"
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, metavar="N", help="seeds that every row should have [all that have a run]"
    )
    parser.add_argument(
        "--photographs",
        type=user_path,
        metavar="CSV",
        help="which photograph each BCCD image is a copy of, as `python -m wbc_model.audit bccd` finds it "
        "[the newest bccd-photographs-*.csv in the cache]",
    )


def add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=user_path, default="build", metavar="FOLDER", help="where to write [%(default)s]")


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> dict[str, Any]:
    """A command line as keyword arguments.

    Raises:
        InputError: a word after `--set` is not KNOB=VALUE.
    """
    options = vars(parser.parse_args(argv))
    if options["overrides"] is not None:
        options["overrides"] = parse_overrides(options["overrides"])
    return options
