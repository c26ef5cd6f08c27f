"""`python -m wbc_model.audit`: does a dataset's test set leak? Duplicates, shared cells and sources across the sets."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from wbc_model.choices import Augmentation, SplitBy
from wbc_model.datasets.dataset import BUILT_IN, Dataset, by_name
from wbc_model.datasets.find import find, kind_of
from wbc_model.datasets.groups import groups_of
from wbc_model.datasets.photographs import origins
from wbc_model.datasets.spec import DataSpec
from wbc_model.errors import reports_input_errors
from wbc_model.preparation.cache import Prepared, prepare
from wbc_model.preparation.cache_folder import default_cache
from wbc_model.preparation.manifest import Entry
from wbc_model.preparation.splits import SPLITS

SIDE, ALIKE = 16, 0.99
"""Near duplicates correlate as much as this, as thumbnails of so many pixels, turned or mirrored or not."""
SHOWN = 8
"""Lines of each kind that are printed in full."""

Pair = tuple[Entry, Entry]


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """0: nothing leaks. 1: something does. 2: invalid arguments or data."""
    p = argparse.ArgumentParser(prog="python -m wbc_model.audit", description=(__doc__ or "").split(": ", 1)[1])
    p.add_argument("dataset", type=str.lower, choices=BUILT_IN, metavar="DATASET", help=", ".join(BUILT_IN))
    p.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the datasets as published")
    p.add_argument("--cache", type=Path, default=default_cache(), metavar="DIR", help="as the study's")
    p.add_argument("--split", type=SplitBy, choices=list(SplitBy), default=SplitBy.RANDOM,
                   help="how images are assigned to the sets (random)")  # fmt: skip
    p.add_argument("--workers", type=int, metavar="N", help="threads (one a core)")
    args = p.parse_args(argv)
    lines, leaks = audit(by_name(args.dataset), by=args.split, data=args.data, cache=args.cache, workers=args.workers)
    print("\n".join(lines))
    return 1 if leaks else 0


def audit(
    dataset: Dataset, *, data: Path, cache: Path, by: SplitBy = SplitBy.RANDOM, workers: int | None = None
) -> tuple[list[str], int]:
    """What there is to tell of the sets a study trains on, and how many ways of leaking were found.

    Raises:
        DataError: data that is missing, or in another layout.
    """
    spec = DataSpec(dataset=dataset, images=kind_of(data), augmentation=Augmentation.NONE, split=by)
    prepared = prepare(spec, data=data, cache=cache, workers=workers)
    entries = [entry for entry in prepared.manifest if entry.split]
    lines, leaks = [], 0
    for title, pairs in (
        ("files with equal bytes", exact_duplicates(entries)),
        ("images that look alike", near_duplicates(prepared)),
    ):
        across = [pair for pair in pairs if pair[0].split != pair[1].split]
        labels = [pair for pair in pairs if pair[0].cell != pair[1].cell]
        lines.append(f"{title}: {len(pairs)} pairs, {len(across)} across sets, {len(labels)} with two labels")
        lines += _some(f"  {_told(a)} = {_told(b)}" for a, b in dict.fromkeys([*across, *labels]))
        leaks += bool(across)
    sources, same_cell = _sources(dataset, entries, data=data, cache=cache, workers=workers)
    if not sources:
        return [*lines, "sources: neither names nor pixels tell which images are of one slide or subject"], leaks
    more, shared = source_lines(entries, sources, same_cell)
    return lines + more, leaks + shared


def exact_duplicates(entries: Iterable[Entry]) -> list[Pair]:
    """Files of the same bytes, each with the first of them."""
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
    """(SIDE, SIDE) of mean 0 and length 1; nothing where the picture is of one colour."""
    grey = cv2.cvtColor(np.asarray(pixels), cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    small = small - small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-3)


def source_lines(
    entries: Sequence[Entry], sources: Mapping[str, str], same_cell: Sequence[tuple[str, str]]
) -> tuple[list[str], int]:
    """How many sources each class has in each set, which sources are in two sets, and which show one cell."""
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
        lines.append(f"{name}: {images} images of {len(set().union(*of.values()))} sources ({each})")
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
    """The source by image id, empty where it cannot be told, and pairs of sources that show one cell."""
    if dataset.groups is None:
        return {}, ()
    kept = {entry.id for entry in entries}
    samples = [sample for sample in find(dataset, data) if sample.id in kept]
    if not dataset.groups.photographs:
        return groups_of(dataset, samples, data=data, cache=cache, workers=workers), ()
    found = origins(samples, folders=dataset.groups.photographs, data=data, cache=cache, workers=workers)
    return found.photograph, found.same_cell


def _some(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    return every[:SHOWN] + ([f"  and {len(every) - SHOWN} more"] if len(every) > SHOWN else [])


def _told(entry: Entry) -> str:
    return f"{entry.id} ({entry.split})"


if __name__ == "__main__":
    sys.exit(main())
