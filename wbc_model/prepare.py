"""`python -m wbc_model.prepare`: find, crop, split, augment and cache datasets, and tell what became of each file."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from wbc_model.choices import Augmentation, SplitBy
from wbc_model.datasets.dataset import BUILT_IN, DataError, Dataset, by_name, is_built_in
from wbc_model.datasets.declare import all_of, folder_of
from wbc_model.datasets.find import kind_of, place_of, unused
from wbc_model.datasets.spec import DataSpec
from wbc_model.errors import reports_input_errors
from wbc_model.files import user_path
from wbc_model.preparation.cache import Prepared, corrupt_arrays, prepare
from wbc_model.preparation.cache_folder import default_cache
from wbc_model.preparation.splits import SPLITS

EXAMPLES = """examples:
  python -m wbc_model.prepare --data ~/wbc                   those of the paper's four datasets that are there
  python -m wbc_model.prepare ~/cells                        your own: a folder of class folders
  python -m wbc_model.prepare bccd lisc --data ~/wbc --workers 8
  python -m wbc_model.prepare bccd --data ~/wbc --check      is the cache what was written?

A trial prepares the data that is missing from the cache itself; this does it beforehand, once per machine, and shows
the counts. Exit status: 0 prepared, 1 the cache is damaged, 2 invalid arguments or data.
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m wbc_model.prepare",
        description="Find, crop, split, augment and cache datasets, and tell what became of each file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("datasets", nargs="*", metavar="NAME|[NAME=]DIR",
                   help=f"{', '.join(BUILT_IN)}, or a folder of your own (those that are in --data)")  # fmt: skip
    p.add_argument("--data", type=user_path, metavar="DIR", help="folder of the paper's datasets as published")
    p.add_argument("--cache", type=user_path, metavar="DIR", help="prepared images (the study's default)")
    p.add_argument("--cache-limit", type=float, metavar="GB", help="refuse to let the cache grow beyond (the disk)")
    p.add_argument("--workers", type=int, metavar="N", help="how many at once (one a core)")
    p.add_argument("--image-size", type=int, default=224, metavar="PX", help="side of the square input (224)")
    p.add_argument("--augmentation", type=Augmentation, choices=list(Augmentation), default=Augmentation.PAPER,
                   help="copies in the training set (paper)")  # fmt: skip
    p.add_argument("--split", type=SplitBy, choices=list(SplitBy), default=SplitBy.RANDOM,
                   help="how images are assigned to the sets (random)")  # fmt: skip
    p.add_argument("--macenko", action="store_true", help="normalise the stains (stain=macenko)")
    p.add_argument("--check", action="store_true", help="verify the arrays' hashes; builds what is missing")
    return p


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """0: all prepared. 1: a cache is damaged. 2: invalid arguments or data."""
    args = parser().parse_args(argv)
    places, missing = (_named(args.datasets, data=args.data), "") if args.datasets else _present(args.data)
    one = partial(
        _one, image_size=args.image_size, augmentation=args.augmentation, split=args.split, macenko=args.macenko,
        cache=args.cache or default_cache(), limit=args.cache_limit, workers=args.workers, check=args.check,
    )  # fmt: skip
    status = max([one(dataset, folder) for dataset, folder in places.items()])
    if missing:
        print(f"Not prepared, because they are not in {args.data}:\n{missing}")
    return status


def _named(datasets: Sequence[str], *, data: Path | None) -> dict[Dataset, Path]:
    """The datasets that are asked for, and the folder below which each lies."""
    return {dataset: folder_of(path, data=data) for dataset, path in all_of(datasets).items()}


def _present(data: Path | None) -> tuple[dict[Dataset, Path], str]:
    """The paper's datasets in a folder, and a message about the others.

    Raises:
        DataError: there is none, and why.
    """
    places, problems = {}, []
    folder = folder_of(None, data=data)
    for dataset in map(by_name, BUILT_IN):
        try:
            place_of(dataset, folder)
        except DataError as error:
            problems.append(str(error))
        else:
            places[dataset] = folder
    if not places:
        raise DataError("\n".join(problems))
    return places, "\n".join(problems)


def _one(
    dataset: Dataset, data: Path, *, image_size: int, augmentation: Augmentation, split: SplitBy, macenko: bool,
    cache: Path, limit: float | None, workers: int | None, check: bool,
) -> int:  # fmt: skip
    """Prepare a dataset and print its summary; 1 if `check` finds that an array is damaged, otherwise 0."""
    started = time.perf_counter()
    spec = DataSpec(dataset=dataset, images=kind_of(data), image_size=image_size, augmentation=augmentation,
                    split=split, macenko=macenko)  # fmt: skip
    prepared = prepare(spec, data=data, cache=cache, workers=workers, limit=limit)
    seconds = time.perf_counter() - started
    print(summary(dataset, prepared))
    for folder, files in unused(dataset, data).items():
        print(f"not used: the folder {folder}, of no class: {files} files")
    print(f"{len(prepared.manifest)} files in {seconds:.1f} s, {len(prepared.manifest) / seconds:.0f} a second")
    print(f"cache: {prepared.folder}\n")
    bad = corrupt_arrays(prepared.folder) if check else []
    if bad:
        print(f"error: {', '.join(bad)} in {prepared.folder} are damaged: delete that folder, and it is made anew",
              file=sys.stderr)  # fmt: skip
    elif check:
        print("checked: every array has the bytes that were written\n")
    return 1 if bad else 0


def summary(dataset: Dataset, prepared: Prepared) -> str:
    """A table of images per class: found, published, left out, in each set, and in the training set with its copies.

    Below it are the groups in each set, if the groups of the images are known, and why images are left out.
    """
    entries, train = prepared.manifest, prepared.sets["train"]
    of_paper = is_built_in(dataset)
    found = [_row("found", Counter(entry.cell for entry in entries), dataset)]
    if dataset.published:
        found.append(_row("published, Table 1" if of_paper else "published", _published(dataset), dataset))
    found.append(_row("left out", Counter(entry.cell for entry in entries if entry.excluded), dataset))
    for name, size in zip(SPLITS, dataset.sizes or ("",) * 3, strict=True):
        counts = Counter(entry.cell for entry in entries if entry.split == name)
        found.append(_row(name, counts, dataset) + (f"{size:>9}" if dataset.sizes else ""))
    found.append(_row("train with copies", Counter(train.cells[label] for label in train.labels), dataset))
    if any(entry.group for entry in entries):
        found += [_groups(name, dataset, prepared) for name in SPLITS]
    sizes = ("  Table 2" if of_paper else "  wanted") if dataset.sizes else ""
    head = f"{dataset.name:20}" + "".join(f"{cell:>{_width(cell)}}" for cell in dataset.classes) + f"{'all':>9}{sizes}"
    reasons = Counter(entry.excluded for entry in entries if entry.excluded)
    return "\n".join([head, *found, *(f"left out {number}: {reason}" for reason, number in reasons.most_common())])


def _row(title: str, counts: Mapping[str, int], dataset: Dataset, *, total: int | None = None) -> str:
    """One line of the table; the total is the sum of the counts unless it is given."""
    numbers = "".join(f"{counts.get(cell, 0):>{_width(cell)}}" for cell in dataset.classes)
    return f"{title:20}{numbers}{sum(counts.values()) if total is None else total:>9}"


def _groups(name: str, dataset: Dataset, prepared: Prepared) -> str:
    """How many groups show each class in a set; one that shows several classes counts once in all."""
    pairs = {(entry.group, entry.cell) for entry in prepared.manifest if entry.split == name}
    counts = Counter(cell for _, cell in pairs)
    return _row(f"groups, {name}", counts, dataset, total=len({group for group, _ in pairs}))


def _width(cell: str) -> int:
    return max(12, len(cell) + 2)


def _published(dataset: Dataset) -> dict[str, int]:
    return {cell: sum(part.get(cell, 0) for part in dataset.published.values()) for cell in dataset.classes}


if __name__ == "__main__":
    sys.exit(main())
