"""Table 2: which sample trains, validates or tests. Frozen per dataset: no trial seed reaches it. Needs no torch."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

from wbc_model.choices import Dataset
from wbc_model.datasets import DataError, Sample

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

TABLE_2: Mapping[Dataset, tuple[int, int, int]] = {
    Dataset.LDWBC: (13587, 4529, 4529),
    Dataset.LISC: (145, 48, 49),
    Dataset.BCCD: (7404, 2467, 2465),
    Dataset.RAABIN: (7631, 2544, 4339),
}


def split(dataset: Dataset, samples: Sequence[Sample]) -> dict[Split, list[Sample]]:
    """Assign every sample to one set: 3:1:1, or 3:1 beside the test set that the authors give.

    The order is that of a hash of each id, so it depends neither on the order of the files nor on which others there
    are. Not stratified: the paper's test counts are those of a plain random split.

    Raises:
        DataError: too few images for all three sets.
    """
    shuffled = sorted(samples, key=lambda sample: hashlib.sha256(f"split {sample.id}".encode()).digest())
    given = [sample for sample in shuffled if sample.part == "test"]
    ours = [sample for sample in shuffled if sample.part != "test"]
    n_train, n_validation = _sizes(dataset, len(ours), has_test=bool(given))
    test = given or ours[n_train + n_validation :]
    sets: dict[Split, list[Sample]] = {
        "train": ours[:n_train],
        "validation": ours[n_train : n_train + n_validation],
        "test": test,
    }
    if empty := [name for name, members in sets.items() if not members]:
        raise DataError(f"{dataset}: {len(samples)} images are too few: none left for {', '.join(empty)}")
    return sets


def _sizes(dataset: Dataset, n: int, *, has_test: bool) -> tuple[int, int]:
    """Table 2's counts for as many images as it has (no one rounding rule gives BCCD's and Raabin's), else floors."""
    train, validation, test = TABLE_2[dataset]
    if n == (train + validation if has_test else train + validation + test):
        return train, validation
    return (3 * n // 4, n - 3 * n // 4) if has_test else (3 * n // 5, n // 5)
