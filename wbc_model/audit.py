"""`python -m wbc_model.audit`: does a dataset's test set leak? Finds duplicates and shared groups across the sets."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from wbc_model.choices import Augmentation, ImageSource, SplitBy
from wbc_model.datasets.dataset import BUILT_IN, Dataset
from wbc_model.datasets.declare import declare, folder_of
from wbc_model.datasets.find import find, kind_of
from wbc_model.datasets.groups import groups_of
from wbc_model.datasets.photographs import origins
from wbc_model.datasets.spec import DataSpec
from wbc_model.errors import reports_input_errors
from wbc_model.files import user_path
from wbc_model.plain_text import counted
from wbc_model.preparation.cache import Prepared, prepare
from wbc_model.preparation.cache_folder import default_cache
from wbc_model.preparation.manifest import Entry
from wbc_model.preparation.splits import SPLITS

ASKED = "Does a dataset's test set leak? Finds duplicates and shared groups across the sets."
SIDE, ALIKE = 16, 0.99
"""Two images look alike if their thumbnails of SIDE x SIDE pixels, turned or mirrored or not, correlate above ALIKE."""
SHOWN = 8
"""How many pairs across sets are printed; pairs with two labels are all printed."""

Pair = tuple[Entry, Entry]


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """0: nothing leaks. 1: something does. 2: invalid arguments or data."""
    p = argparse.ArgumentParser(prog="python -m wbc_model.audit", description=ASKED)
    p.add_argument("dataset", metavar="NAME|[NAME=]DIR", help=f"{', '.join(BUILT_IN)}, or a folder of your own")
    p.add_argument("--data", type=user_path, metavar="DIR", help="folder of the paper's datasets as published")
    p.add_argument("--cache", type=user_path, default=default_cache(), metavar="DIR", help="as the study's")
    p.add_argument("--split", type=SplitBy, choices=list(SplitBy), default=SplitBy.RANDOM,
                   help="how images are assigned to the sets (random)")  # fmt: skip
    p.add_argument("--workers", type=int, metavar="N", help="threads (one a core)")
    args = p.parse_args(argv)
    dataset, path = declare(args.dataset)
    data = folder_of(path, data=args.data)
    lines, leaks = audit(dataset, by=args.split, data=data, cache=args.cache, workers=args.workers)
    print("\n".join(lines))
    return 1 if leaks else 0


def audit(
    dataset: Dataset, *, data: Path, cache: Path, by: SplitBy = SplitBy.RANDOM, workers: int | None = None
) -> tuple[list[str], int]:
    """What the sets that a study trains on have in common: lines to print, and how many ways of leaking were found.

    Raises:
        DataError: data that is missing, or in another layout.
    """
    spec = DataSpec(dataset=dataset, images=kind_of(data), augmentation=Augmentation.NONE, split=by)
    prepared = prepare(spec, data=data, cache=cache, workers=workers)
    entries = [entry for entry in prepared.manifest if entry.split]
    exact, near = exact_duplicates(entries), near_duplicates(prepared)
    lines = [*_pairs("files with equal bytes", exact), *_pairs("images that look alike", near)]
    leaks = bool(_across(exact)) + bool(_across(near))
    if _across(exact):
        lines.append(f"--split {SplitBy.DUPLICATES_GROUPED} keeps files of equal bytes in one set; in a study it is "
                     f"--set split={SplitBy.DUPLICATES_GROUPED}")  # fmt: skip
    sources, same_cell = _sources(dataset, entries, data=data, cache=cache, workers=workers)
    if not sources:
        return [*lines, f"sources: {dataset} does not say which images are of one slide or patient"], leaks
    more, shared = source_lines(entries, sources, same_cell)
    return lines + more, leaks + shared


def exact_duplicates(entries: Iterable[Entry]) -> list[Pair]:
    """Pairs of files with equal bytes: each further file with the first of them."""
    first: dict[str, Entry] = {}
    return [(first[e.sha256], e) for e in entries if first.setdefault(e.sha256, e) is not e]


def near_duplicates(prepared: Prepared) -> list[Pair]:
    """Pairs of prepared images that look the same, as they are or turned by right angles or mirrored."""
    by_id = {entry.id: entry for entry in prepared.manifest}
    entries = [by_id[name] for images in prepared.sets.values() for name in images.ids]
    small = np.stack([_thumbnail(pixels) for images in prepared.sets.values() for pixels in images.pixels])
    turned = [np.rot90(side, k, axes=(1, 2)) for side in (small, small[:, :, ::-1]) for k in range(4)]
    base = small.reshape(len(small), -1)
    found = set()
    for start in range(0, len(base), 1024):
        block = base[start : start + 1024]
        best = np.max([block @ each.reshape(len(small), -1).T for each in turned], axis=0)
        found |= {(start + int(i), int(j)) for i, j in np.argwhere(best > ALIKE) if start + i < j}
    return [(entries[i], entries[j]) for i, j in sorted(found) if entries[i].sha256 != entries[j].sha256]


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Grey values (SIDE, SIDE) of mean 0 and Euclidean norm 1; all 0 if the picture has one colour only."""
    grey = cv2.cvtColor(np.asarray(pixels), cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    small = small - small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-3)


def source_lines(
    entries: Sequence[Entry], sources: Mapping[str, str], same_cell: Sequence[tuple[str, str]]
) -> tuple[list[str], int]:
    """Lines on how many sources each class has in each set, which are in two sets and which show one cell.

    Args:
        sources: the photograph, slide or patient of each image, by id.
        same_cell: pairs of sources that show one white cell.

    Returns:
        The lines, and how many ways of leaking were found: sources in two sets, and cells in the test set and another.
    """
    sets: dict[str, set[str]] = defaultdict(set)
    cells: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        sets[sources[entry.id]].add(entry.split)
        cells[sources[entry.id]].add(entry.cell)
    lines = []
    for name in SPLITS:
        of = {cell: {sources[e.id] for e in entries if (e.split, e.cell) == (name, cell)} for cell in _cells(entries)}
        each = ", ".join(f"{cell} {len(found)}" for cell, found in of.items())
        images = sum(entry.split == name for entry in entries)
        from_sources = counted(len(set().union(*of.values())), "source")
        lines.append(f"{name}: {counted(images, 'image')} of {from_sources} ({each})")
    both = [source for source, found in sets.items() if len(found) > 1]
    in_test = [source for source in both if "test" in sets[source]]
    lines.append(f"sources in several sets: {len(both)}, in the test set and another: {len(in_test)}")
    known = [(a, b) for a, b in same_cell if a in sets and b in sets]
    across = [(a, b) for a, b in known if ("test" in sets[a]) != ("test" in sets[b])]
    labels = [(a, b) for a, b in known if cells[a] != cells[b]]
    if same_cell:
        lines.append(f"sources that show one cell: {len(known)} pairs, {len(across)} between test and the other sets, "
                     f"{len(labels)} with two labels")  # fmt: skip
        lines += [f"  {a} ({_of(a, sets, cells)}) = {b} ({_of(b, sets, cells)})"
                  for a, b in dict.fromkeys(across + labels)]  # fmt: skip
    return lines, bool(both) + bool(across)


def _of(source: str, sets: Mapping[str, set[str]], cells: Mapping[str, set[str]]) -> str:
    return f"{'+'.join(sorted(cells[source]))}, {'+'.join(sorted(sets[source]))}"


def _cells(entries: Iterable[Entry]) -> list[str]:
    return sorted({entry.cell for entry in entries})


def _sources(
    dataset: Dataset, entries: Sequence[Entry], *, data: Path, cache: Path, workers: int | None
) -> tuple[Mapping[str, str], Sequence[tuple[str, str]]]:
    """The source of each image by its id, empty if the dataset names none; and pairs of sources that show one cell."""
    if dataset.groups is None:
        return {}, ()
    kept = {entry.id for entry in entries}
    samples = [sample for sample in find(dataset, data) if sample.id in kept]
    if not dataset.groups.photographs or kind_of(data) is ImageSource.DRAWN:
        return groups_of(dataset, samples, data=data, cache=cache, workers=workers), ()
    found = origins(samples, folders=dataset.groups.photographs, data=data, cache=cache, workers=workers)
    return found.photograph, found.same_cell


def _pairs(title: str, pairs: Sequence[Pair]) -> list[str]:
    """How many pairs there are, every pair with two labels, and some of the others that are across sets."""
    across, labels = _across(pairs), [pair for pair in pairs if pair[0].cell != pair[1].cell]
    return [
        f"{title}: {len(pairs)} pairs, {len(across)} across sets, {len(labels)} with two labels",
        *(f"  two labels: {_told(a)} is {a.cell}, {_told(b)} is {b.cell}" for a, b in labels),
        *_some(f"  {_told(a)} = {_told(b)}" for a, b in across if a.cell == b.cell),
    ]


def _across(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair[0].split != pair[1].split]


def _some(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    return every[:SHOWN] + ([f"  and {len(every) - SHOWN} more"] if len(every) > SHOWN else [])


def _told(entry: Entry) -> str:
    return f"{entry.id} ({entry.split})"


if __name__ == "__main__":
    sys.exit(main())
