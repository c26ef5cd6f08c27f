"""Draw the outcome of a search: `python -m analysis search NAME` shows its samples and the parameters' importance."""

import argparse
from collections.abc import Sequence

from analysis.arguments import add_out
from analysis.figures.samples import draw
from analysis.figures.style import styled
from study.arguments import add_storage
from study.search import Search
from study.storage import Storage
from wbc_model.errors import InputError, reports_input_errors
from wbc_model.files import unsealed


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m analysis search",
        description="Draw a search: validation accuracy of each sample, and each parameter's share of its variance.",
    )
    p.add_argument("name", help="the search, as study/run.py --search has it")
    add_storage(p, help="the study's storage [%(default)s]")
    add_out(p)
    return p


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """0: drawn. 1: drawn without samples that are damaged. 2: no such search, or no sample of it was finished."""
    args = parser().parse_args(argv)
    storage = Storage(f"{args.storage}/searches/{args.name}")
    search = Search(args.name, storage, samples=0, overrides=None, seed=0)
    winner = storage.read("winner.json")
    if winner is None:
        raise InputError(f"no winner of {args.name} in {args.storage}: run study/run.py --search {args.name}")
    args.out.mkdir(parents=True, exist_ok=True)
    with styled():
        figure = draw(search, unsealed(winner, where=storage.root / "winner.json")["importances"])
        for suffix in ("pdf", "png"):
            figure.savefig(args.out / f"search_{args.name}.{suffix}")
    for problem in search.damaged().values():
        print(f"not drawn: {problem}")
    print(f"Written to {args.out.absolute()}: search_{args.name}.pdf and .png")
    return int(bool(search.damaged()))
