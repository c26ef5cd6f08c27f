"""Table 2: which sample trains, validates or tests. Frozen per dataset: no trial seed reaches it. Needs no torch."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from wbc_model.choices import Dataset, SplitBy
from wbc_model.datasets.dataset import DataError, ImageFile

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

TABLE_2: Mapping[Dataset, tuple[int, int, int]] = {
    Dataset.LDWBC: (13587, 4529, 4529),
    Dataset.LISC: (145, 48, 49),
    Dataset.BCCD: (7404, 2467, 2465),
    Dataset.RAABIN: (7631, 2544, 4339),
}


def split(
    dataset: Dataset,
    samples: Sequence[ImageFile],
    *,
    by: SplitBy = SplitBy.RANDOM,
    groups: Mapping[str, str] | None = None,
) -> dict[Split, list[ImageFile]]:
    """Assign every sample to one set: 3:1:1, or 3:1 beside the test set that the authors give.

    The order is that of a hash of each id, so it depends neither on the order of the files nor on which others there
    are. Not stratified unless asked for: the paper's test counts are those of a plain random split.

    Args:
        groups: for `SplitBy.SOURCE_GROUPED`, what each id shows; what the given test set shows is in no other set.

    Raises:
        DataError: too few images for all three sets.
    """
    shuffled = sorted(samples, key=lambda sample: _order(sample.id))
    if by is SplitBy.SOURCE_GROUPED:
        assert groups is not None
        sets = _grouped(shuffled, groups)
    elif by is SplitBy.STRATIFIED:
        classes = [[s for s in shuffled if s.cell == cell] for cell in dataset.cells]
        each = [_cut(of_class, _floors) for of_class in classes]
        sets = {name: [sample for parts in each for sample in parts[name]] for name in SPLITS}
    else:
        sets = _cut(shuffled, partial(_sizes, dataset))
    if empty := [name for name, members in sets.items() if not members]:
        raise DataError(f"{dataset}: {len(samples)} images are too few: none left for {', '.join(empty)}")
    return sets


def _order(name: str) -> bytes:
    return hashlib.sha256(f"split {name}".encode()).digest()


def _cut(shuffled: Sequence[ImageFile], sizes: Callable[..., tuple[int, int]]) -> dict[Split, list[ImageFile]]:
    given = [sample for sample in shuffled if sample.part == "test"]
    ours = [sample for sample in shuffled if sample.part != "test"]
    train, validation = sizes(len(ours), has_test=bool(given))
    return {
        "train": ours[:train],
        "validation": ours[train : train + validation],
        "test": given or ours[train + validation :],
    }


def _grouped(shuffled: Sequence[ImageFile], groups: Mapping[str, str]) -> dict[Split, list[ImageFile]]:
    """Whole groups validate until they are a quarter of the images of their class; the others train."""
    test = [sample for sample in shuffled if sample.part == "test"]
    seen = {groups[sample.id] for sample in test}
    ours = [sample for sample in shuffled if sample.part != "test" and groups[sample.id] not in seen]
    members: dict[str, list[ImageFile]] = defaultdict(list)
    for sample in sorted(ours, key=lambda sample: (_order(groups[sample.id]), sample.id)):
        members[groups[sample.id]].append(sample)
    wanted = {cell: n / 4 for cell, n in Counter(sample.cell for sample in ours).items()}
    sets: dict[Split, list[ImageFile]] = {"train": [], "validation": [], "test": test}
    for group in members.values():
        cell = group[0].cell
        sets["validation" if wanted[cell] > 0 else "train"] += group
        wanted[cell] -= len(group)
    return sets


def _sizes(dataset: Dataset, n: int, *, has_test: bool) -> tuple[int, int]:
    """Table 2's counts for as many images as it has (no one rounding rule gives BCCD's and Raabin's), else floors."""
    train, validation, test = TABLE_2[dataset]
    if n == (train + validation if has_test else train + validation + test):
        return train, validation
    return _floors(n, has_test=has_test)


def _floors(n: int, *, has_test: bool) -> tuple[int, int]:
    return (3 * n // 4, n - 3 * n // 4) if has_test else (3 * n // 5, n // 5)
