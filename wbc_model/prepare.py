"""`python -m wbc_model.prepare`: find, crop, split, augment and cache datasets, and tell what became of each file."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from wbc_model.choices import Augmentation, SplitBy
from wbc_model.datasets.dataset import BUILT_IN, Dataset, by_name
from wbc_model.datasets.find import kind_of
from wbc_model.datasets.spec import DataSpec
from wbc_model.errors import InputError, reports_input_errors
from wbc_model.preparation.cache import Prepared, corrupt_arrays, prepare
from wbc_model.preparation.cache_folder import default_cache
from wbc_model.preparation.splits import SPLITS

EXAMPLES = """examples:
  python -m wbc_model.prepare --data ~/wbc                   all four datasets
  python -m wbc_model.prepare bccd lisc --data ~/wbc --workers 8
  python -m wbc_model.prepare bccd --data ~/wbc --check      is the cache what was written?

A trial prepares what it lacks itself; this does it beforehand, once a machine, and shows the counts.
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m wbc_model.prepare",
        description=__doc__.split(": ", 1)[1] if __doc__ else None,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("datasets", nargs="*", type=str.lower, metavar="NAME", help=f"of {', '.join(BUILT_IN)} (all)")
    p.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the datasets as published")
    p.add_argument("--cache", type=Path, metavar="DIR", help="prepared images (the study's default)")
    p.add_argument("--cache-limit", type=float, metavar="GB", help="refuse to let the cache grow beyond (the disk)")
    p.add_argument("--workers", type=int, metavar="N", help="how many at once (one a core)")
    p.add_argument("--image-size", type=int, default=224, metavar="PX", help="side of the square input (224)")
    p.add_argument("--augmentation", type=Augmentation, choices=list(Augmentation), default=Augmentation.PAPER,
                   help="copies in the training set (paper)")  # fmt: skip
    p.add_argument("--split", type=SplitBy, choices=list(SplitBy), default=SplitBy.RANDOM,
                   help="how images are assigned to the sets (random); source_grouped is for bccd")  # fmt: skip
    p.add_argument("--check", action="store_true", help="verify the arrays' hashes; builds what is missing")
    return p


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """0: all prepared. 1: a cache is damaged. 2: invalid arguments or data."""
    args = parser().parse_args(argv)
    status = 0
    if unknown := [name for name in args.datasets if name not in BUILT_IN]:
        raise InputError(f"no dataset {', '.join(unknown)}: there are {', '.join(BUILT_IN)}")
    for dataset in map(by_name, args.datasets or BUILT_IN):
        status = max(status, _one(dataset, args))
    return status


def _one(dataset: Dataset, args: argparse.Namespace) -> int:
    started = time.perf_counter()
    spec = DataSpec(dataset=dataset, images=kind_of(args.data), image_size=args.image_size,
                    augmentation=args.augmentation, split=args.split)  # fmt: skip
    prepared = prepare(spec, data=args.data, cache=args.cache or default_cache(), workers=args.workers,
                       limit=args.cache_limit)  # fmt: skip
    seconds = time.perf_counter() - started
    print(summary(dataset, prepared))
    print(f"{len(prepared.manifest)} files in {seconds:.1f} s, {len(prepared.manifest) / seconds:.0f} a second")
    print(f"cache: {prepared.folder}\n")
    bad = corrupt_arrays(prepared.folder) if args.check else []
    if bad:
        print(f"error: {', '.join(bad)} in {prepared.folder} are damaged: delete that folder, and it is made anew",
              file=sys.stderr)  # fmt: skip
    elif args.check:
        print("checked: every array has the bytes that were written\n")
    return 1 if bad else 0


def summary(dataset: Dataset, prepared: Prepared) -> str:
    """Images per class found and published, left out and why, in each set and in the augmented training set."""
    entries = prepared.manifest
    rows: list[tuple[str, Mapping[str, int], str]] = [
        ("found", Counter(entry.cell for entry in entries), ""),
        ("published, Table 1", _published(dataset), ""),
        ("left out", Counter(entry.cell for entry in entries if entry.excluded), ""),
    ]
    for name, size in zip(SPLITS, dataset.sizes or ("",) * 3, strict=True):
        rows.append((name, Counter(entry.cell for entry in entries if entry.split == name), f"{size:>9}"))
    train = prepared.sets["train"]
    rows.append(("train with copies", Counter(train.cells[label] for label in train.labels), ""))
    lines = [f"{dataset.name:20}" + "".join(f"{cell:>12}" for cell in dataset.classes) + f"{'all':>9}  Table 2"]
    for title, counts, size in rows:
        numbers = "".join(f"{counts.get(cell, 0):>12}" for cell in dataset.classes)
        lines.append(f"{title:20}{numbers}{sum(counts.values()):>9}{size}")
    reasons = Counter(entry.excluded for entry in entries if entry.excluded)
    lines += [f"left out {number}: {reason}" for reason, number in reasons.most_common()]
    return "\n".join(lines)


def _published(dataset: Dataset) -> dict[str, int]:
    return {cell: sum(part.get(cell, 0) for part in dataset.published.values()) for cell in dataset.classes}


if __name__ == "__main__":
    sys.exit(main())
