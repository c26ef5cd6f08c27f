"""Copies for the rarer classes of a training set."""

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from tests.wbc_model.conftest import LDWBC_FOLDERS, load
from wbc_model.choices import Augmentation
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.preparation.augment import images_to_copy


def test_balanced_counts_are_exact_and_copies_stay_in_training(ldwbc: Path):
    """Check 12 of the largest class never copied; 1 and 2: originals train, the other sets are the same bytes."""
    plain = load(ldwbc)
    prepared = load(ldwbc, augmentation=Augmentation.LARGEST)
    train = prepared.sets["train"]
    largest = np.bincount(plain.sets["train"].labels).max()
    assert (np.bincount(train.labels) == largest).all()
    own = set(plain.sets["train"].ids)
    assert {name.split("#")[0] for name in train.ids} == own
    biggest = int(np.bincount(plain.sets["train"].labels).argmax())
    assert not [name for name, label in zip(train.ids, train.labels, strict=True) if "#" in name and label == biggest]
    for name in ("validation", "test"):
        assert prepared.sets[name].ids == plain.sets[name].ids
        assert (prepared.sets[name].pixels == plain.sets[name].pixels).all()
    assert prepared.fingerprint != plain.fingerprint


def test_copies_are_of_their_class_are_not_their_parents_and_are_the_same_every_time(ldwbc: Path, tmp_path: Path):
    for file in (ldwbc / "LDWBC").rglob("*.png"):
        ramp = np.linspace(0, 255, 40, dtype=np.uint8)[None, :, None].repeat(30, 0).repeat(3, 2)
        ramp[..., 0] = LDWBC_FOLDERS.index(file.parent.name) * 40
        Image.fromarray(ramp).save(file)
    train = load(ldwbc, augmentation=Augmentation.LARGEST).sets["train"]
    at = {name: i for i, name in enumerate(train.ids)}
    copies = [name for name in train.ids if "#" in name]
    assert copies
    for name in copies:
        assert (train.pixels[at[name]][..., 0] == 40 * train.labels[at[name]]).all()
        assert (train.pixels[at[name]] != train.pixels[at[name.split("#")[0]]]).any()
    again = load(ldwbc, augmentation=Augmentation.LARGEST, into=tmp_path / "again").sets["train"]
    assert (again.pixels == train.pixels).all()


def test_lisc_has_a_thousand_a_class_and_bccd_no_copies():
    labels = np.repeat(np.arange(5), (30, 28, 24, 31, 32))
    chosen = images_to_copy(labels, dataset=LISC, how=Augmentation.PAPER)
    assert np.bincount(np.concatenate([labels, labels[chosen]])).tolist() == [1000] * 5
    assert max(Counter(chosen).values()) == 1000 // 24
    assert images_to_copy(labels, dataset=BCCD, how=Augmentation.PAPER) == []
    assert len(images_to_copy(labels, dataset=LISC, how=Augmentation.LARGEST)) == 2 + 4 + 8 + 1
