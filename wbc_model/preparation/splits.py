"""Which image trains, validates or tests (Table 2). Fixed per dataset, whatever a trial's seed. Needs no torch."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from wbc_model.choices import SplitBy
from wbc_model.datasets.dataset import DataError, Dataset
from wbc_model.datasets.find import ImageFile

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


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
        groups: for `SOURCE_GROUPED` and `DUPLICATES_GROUPED`, the group of each id; images of groups that the authors'
            test set shows are in no set.

    Raises:
        DataError: too few images for all three sets, or too few groups to train on every class.
    """
    shuffled = sorted(samples, key=lambda sample: _order(sample.id))
    if by is SplitBy.SOURCE_GROUPED:
        assert groups is not None
        sets = _grouped(shuffled, groups, of_one_cell=dataset.of_copies)
    elif by is SplitBy.DUPLICATES_GROUPED:
        assert groups is not None
        sets = _reunited(_cut(shuffled, partial(_sizes, dataset)), groups)
    elif by is SplitBy.STRATIFIED:
        classes = [[s for s in shuffled if s.cell == cell] for cell in dataset.classes]
        each = [_cut(of_class, _floors) for of_class in classes]
        sets = {name: [sample for parts in each for sample in parts[name]] for name in SPLITS}
    else:
        sets = _cut(shuffled, partial(_sizes, dataset))
    trained = {sample.cell for sample in sets["train"]}
    if groups and (lacking := [cell for cell in dataset.classes if cell not in trained]):
        raise DataError(f"{dataset}: split={by} leaves no {', '.join(lacking)} to train on: too few groups")
    if empty := [name for name, members in sets.items() if not members]:
        raise DataError(f"{dataset}: {len(samples)} images are too few: none left for {', '.join(empty)}")
    return sets


def joined(groups: Mapping[str, str], hashes: Mapping[str, str]) -> dict[str, str]:
    """Groups by id, where groups that have files of equal bytes are one, named after the first of them.

    Args:
        hashes: of each id's bytes.
    """
    of_hash: dict[str, set[str]] = defaultdict(set)
    for name, group in groups.items():
        of_hash[hashes[name]].add(group)
    one = {group: group for group in groups.values()}
    for same in of_hash.values():
        first, *others = sorted({one[group] for group in same})
        if others:
            one = {group: first if name in others else name for group, name in one.items()}
    return {name: one[group] for name, group in groups.items()}


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


def _grouped(
    shuffled: Sequence[ImageFile], groups: Mapping[str, str], *, of_one_cell: bool
) -> dict[Split, list[ImageFile]]:
    """Whole groups test and validate until either set has its share of the classes that they show; the others train.

    The share is a fifth each, or a quarter to validate beside the authors' test set.

    Args:
        of_one_cell: the images of a group are copies that show one cell: if their labels differ, the first one counts.
    """
    test = [sample for sample in shuffled if sample.part == "test"]
    seen = {groups[sample.id] for sample in test}
    ours = [sample for sample in shuffled if sample.part != "test" and groups[sample.id] not in seen]
    members: dict[str, list[ImageFile]] = defaultdict(list)
    for sample in sorted(ours, key=lambda sample: (_order(groups[sample.id]), sample.id)):
        members[groups[sample.id]].append(sample)
    shares: dict[Split, int] = {"validation": 4} if test else {"test": 5, "validation": 5}
    whole = Counter(sample.cell for sample in ours)
    wanted = {name: {cell: n / share for cell, n in whole.items()} for name, share in shares.items()}
    sets: dict[Split, list[ImageFile]] = {"train": [], "validation": [], "test": test}
    for group in members.values():
        shown = Counter({group[0].cell: len(group)} if of_one_cell else [sample.cell for sample in group])
        short = next((name for name in shares if _mostly_wanted(shown, wanted[name])), None)
        sets[short or "train"] += group
        if short:
            wanted[short] = {cell: n - shown.get(cell, 0) for cell, n in wanted[short].items()}
    return sets


def _reunited(sets: Mapping[Split, Sequence[ImageFile]], groups: Mapping[str, str]) -> dict[Split, list[ImageFile]]:
    """The same sets, but whole groups are in the set of one of their images: testing comes before validating.

    The authors' test set stays as it is: what shows one of its groups is then in no set.
    """
    home: dict[str, Split] = {}
    for name in reversed(SPLITS):
        home = {groups[sample.id]: name for sample in sets[name]} | home
    fixed = any(sample.part == "test" for sample in sets["test"])
    found: dict[Split, list[ImageFile]] = {name: [] for name in SPLITS}
    for sample in (sample for members in sets.values() for sample in members):
        name = home[groups[sample.id]]
        if sample.part == "test" or not (fixed and name == "test"):
            found[name].append(sample)
    return found


def _mostly_wanted(shown: Mapping[str, int], wanted: Mapping[str, float]) -> bool:
    """Whether at least half of a group's images are of classes of which a set has too few yet."""
    return 2 * sum(n for cell, n in shown.items() if wanted[cell] > 0) >= sum(shown.values())


def _sizes(dataset: Dataset, n: int, *, has_test: bool) -> tuple[int, int]:
    """The published sizes if as many images are found (no rounding gives BCCD's and Raabin's), else floors."""
    train, validation, test = dataset.sizes or (0, 0, 0)
    if n == (train + validation if has_test else train + validation + test):
        return train, validation
    return _floors(n, has_test=has_test)


def _floors(n: int, *, has_test: bool) -> tuple[int, int]:
    return (3 * n // 4, n - 3 * n // 4) if has_test else (3 * n // 5, n // 5)
