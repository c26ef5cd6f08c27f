"""Which image trains, validates or tests, to the image."""

import hashlib
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.wbc_model.conftest import paint
from wbc_model.choices import CELLS, Augmentation, SplitBy
from wbc_model.datasets import groups
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.dataset import DataError, Dataset
from wbc_model.datasets.find import ImageFile
from wbc_model.datasets.ldwbc import DATASET as LDWBC
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.datasets.photographs import PhotographOrigins
from wbc_model.datasets.raabin import DATASET as RAABIN
from wbc_model.datasets.spec import DataSpec
from wbc_model.preparation.cache import prepare
from wbc_model.preparation.splits import joined, split
from wbc_model.synthetic.cells import draw_cell


def fake(counts: dict) -> list[ImageFile]:
    return [
        ImageFile(f"{part}/{cell}/{i}.jpg", cell, part, Path())
        for part, cells in counts.items()
        for cell, n in cells.items()
        for i in range(n)
    ]


@pytest.mark.parametrize("dataset", [LDWBC, LISC, RAABIN])
def test_table_2_to_the_image_on_data_of_the_published_size(dataset: Dataset):
    sets = split(dataset, fake(dataset.published))
    assert tuple(map(len, sets.values())) == dataset.sizes


def test_table_2_to_the_image_on_bccd_without_the_108_that_the_paper_excludes():
    counts = {"train": {"monocyte": 9871}, "test": {"monocyte": 2465}}
    assert tuple(map(len, split(BCCD, fake(counts)).values())) == (7404, 2467, 2465)


def test_splits_are_disjoint_complete_and_blind_to_the_order_of_files():
    samples = fake(LISC.published)
    sets = split(LISC, samples)
    ids = [sample.id for members in sets.values() for sample in members]
    assert sorted(ids) == sorted(sample.id for sample in samples)
    assert len(set(ids)) == len(ids)
    random.Random(0).shuffle(samples)
    assert split(LISC, samples) == sets


def test_official_test_sets_are_the_test_sets():
    sets = split(RAABIN, fake(RAABIN.published))
    assert {sample.part for sample in sets["test"]} == {"test"}
    assert {sample.part for sample in sets["train"] + sets["validation"]} == {"train"}
    assert Counter(sample.cell for sample in sets["test"])["monocyte"] == 234


def test_a_stratified_split_has_every_class_in_its_share():
    sets = split(LDWBC, fake(LDWBC.published), by=SplitBy.STRATIFIED)
    assert Counter(sample.cell for sample in sets["validation"]) == {
        "basophil": 44, "monocyte": 193, "eosinophil": 107, "neutrophil": 2093, "lymphocyte": 2089
    }  # fmt: skip
    assert sum(map(len, sets.values())) == 22645


def test_whole_groups_are_in_one_set_and_what_the_test_set_shows_in_no_other():
    samples = fake({"train": dict.fromkeys(CELLS[1:], 80), "test": dict.fromkeys(CELLS[1:], 20)})
    groups = {sample.id: f"{sample.part} {sample.cell} {int(sample.id.split('/')[-1][:-4]) // 8}" for sample in samples}
    shared = "test monocyte 0"
    groups |= {name: shared for name, group in groups.items() if group == "train monocyte 3"}
    sets = split(BCCD, samples, by=SplitBy.SOURCE_GROUPED, groups=groups)
    where = {name: {groups[sample.id] for sample in members} for name, members in sets.items()}
    assert not where["train"] & where["validation"]
    assert not where["test"] & (where["train"] | where["validation"])
    assert shared in where["test"]
    assert sum(map(len, sets.values())) == 400 - 8
    for cell, wanted in zip(CELLS[1:], (24, 24, 24, 24), strict=True):
        assert sum(sample.cell == cell for sample in sets["validation"]) == wanted
    random.Random(0).shuffle(samples)
    assert split(BCCD, samples, by=SplitBy.SOURCE_GROUPED, groups=groups) == sets


def test_copies_of_one_cell_with_two_labels_count_as_the_first_of_these_labels():
    """BCCD's photograph 166 is labelled eosinophil 33 times and neutrophil 16 times: records of its split stand."""
    samples = fake({"train": {"eosinophil": 40, "neutrophil": 40}, "test": dict.fromkeys(CELLS[1:], 1)})
    samples += fake({"train": {"monocyte": 40, "lymphocyte": 40}})
    groups = {sample.id: f"{sample.cell} {int(Path(sample.id).stem) // 4} {sample.part}" for sample in samples}
    earliest = min(
        (f"both {i}" for i in range(1000)), key=lambda name: hashlib.sha256(f"split {name}".encode()).digest()
    )
    both = {"eosinophil": range(4), "neutrophil": range(8)}
    groups |= {f"train/{cell}/{i}.jpg": earliest for cell, numbers in both.items() for i in numbers}
    sets = split(BCCD, samples, by=SplitBy.SOURCE_GROUPED, groups=groups)
    counts = Counter(sample.cell for sample in sets["validation"])
    assert counts == {"eosinophil": 4, "neutrophil": 8 + 12, "monocyte": 12, "lymphocyte": 12}


def test_a_dataset_that_does_not_say_what_its_groups_are_cannot_be_split_by_them(ldwbc: Path):
    spec = DataSpec(dataset=LDWBC, image_size=32, split=SplitBy.SOURCE_GROUPED)
    with pytest.raises(DataError, match="ldwbc does not say which images are of one slide or patient"):
        prepare(spec, data=ldwbc, cache=ldwbc.parent / "cache")


def test_groups_of_several_classes_give_every_set_its_share_of_each():
    """Forty patients with all five cell types, the first in the alphabet the rarest."""
    counts = dict(zip(CELLS, (2, 5, 5, 40, 30), strict=True))
    samples = [
        ImageFile(f"{cell}/{patient}-{i}.jpg", cell, "all", Path())
        for patient in range(40) for cell, n in counts.items() for i in range(n)
    ]  # fmt: skip
    groups = {sample.id: sample.id.split("/")[1].split("-")[0] for sample in samples}
    sets = split(LDWBC, samples, by=SplitBy.SOURCE_GROUPED, groups=groups)
    where = [{groups[sample.id] for sample in members} for members in sets.values()]
    assert sum(map(len, where)) == 40
    for cell, n in counts.items():
        each = Counter(name for name, members in sets.items() for sample in members if sample.cell == cell)
        assert each == {"train": 24 * n, "validation": 8 * n, "test": 8 * n}


def test_files_of_equal_bytes_are_in_one_set_and_all_others_where_chance_puts_them(ldwbc: Path):
    """Two labels or not."""
    pairs = [("Basophil/0.png", "neutrophils/3.png"), ("EOSINOPHIL/1.png", "EOSINOPHIL/4.png")]
    for a, b in pairs:
        (ldwbc / "LDWBC" / b).write_bytes((ldwbc / "LDWBC" / a).read_bytes())
    sets = {}
    for by in (SplitBy.RANDOM, SplitBy.DUPLICATES_GROUPED):
        spec = DataSpec(dataset=LDWBC, image_size=32, augmentation=Augmentation.NONE, split=by)
        sets[by] = {entry.id: entry.split for entry in prepare(spec, data=ldwbc, cache=ldwbc.parent / "c").manifest}
    chance, together = sets.values()
    assert any(chance[a] != chance[b] for a, b in pairs)
    assert all(together[a] == together[b] for a, b in pairs)
    paired = {name for pair in pairs for name in pair}
    assert {name for name in chance if chance[name] != together[name]} <= paired
    assert set(together.values()) == {"train", "validation", "test"}


def test_beside_a_given_test_set_what_equals_one_of_its_files_is_left_out(tmp_path: Path):
    for n, part in enumerate(("Train", "TestA")):
        for i, cell in enumerate(CELLS):
            for k in range(8):
                paint(
                    tmp_path / "Raabin" / part / cell.capitalize() / f"95-{k}-{part}_1_1.png", (40 * i, 20 * k, 99 * n)
                )
    copied = tmp_path / "Raabin" / "TestA" / "Monocyte" / "95-0-TestA_1_1.png"
    (tmp_path / "Raabin" / "Train" / "Basophil" / "95-3-Train_1_1.png").write_bytes(copied.read_bytes())
    spec = DataSpec(dataset=RAABIN, image_size=32, augmentation=Augmentation.NONE, split=SplitBy.DUPLICATES_GROUPED)
    prepared = prepare(spec, data=tmp_path, cache=tmp_path / "cache")
    left_out = {entry.id: entry.excluded for entry in prepared.manifest if entry.excluded}
    assert left_out == {"Train/Basophil/95-3-Train_1_1.png": "equals a file of the test set"}
    assert len(prepared.sets["test"]) == 40


def test_groups_with_files_of_equal_bytes_are_one_group():
    groups, hashes = dict(zip("abcde", "11234", strict=True)), dict(zip("abcde", "vwwxx", strict=True))
    assert joined(groups, hashes) == dict(zip("abcde", "11133", strict=True))
    assert joined(groups, dict(zip("abcde", "vwwxw", strict=True))) == dict(zip("abcde", "11131", strict=True))
    assert joined(groups, dict.fromkeys("abcde", "v")) == dict.fromkeys("abcde", "1")
    assert joined(groups, {name: name for name in "abcde"}) == groups


def test_a_class_whose_groups_are_all_in_the_given_test_set_is_an_error():
    samples = fake({"train": dict.fromkeys(CELLS, 20), "test": dict.fromkeys(CELLS, 10)})
    groups = {sample.id: "shared" if sample.cell == "basophil" else sample.id for sample in samples}
    with pytest.raises(DataError, match="leaves no basophil to train on"):
        split(RAABIN, samples, by=SplitBy.SOURCE_GROUPED, groups=groups)


@pytest.mark.slow
def test_prepared_by_cells_lists_what_the_test_set_shows_as_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for n, part in enumerate(("TRAIN", "TEST")):
        for i, cell in enumerate(CELLS[1:]):
            for k in range(8):
                pixels = draw_cell(cell, np.random.default_rng([i, k, n]), height=240, width=320, fill=0.6).pixels
                file = tmp_path / "images" / part / cell.upper() / f"{k}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(file)

    def found(samples: list[ImageFile], **_: object) -> PhotographOrigins:
        number = {sample.id: sample.id.split("/")[-1][0] for sample in samples}
        photograph = {name: f"{name.split('/')[1]} {k}" if k == "0" else name for name, k in number.items()}
        return PhotographOrigins(photograph, ())

    monkeypatch.setattr(groups, "origins", found)
    spec = DataSpec(dataset=BCCD, image_size=32, split=SplitBy.SOURCE_GROUPED)
    prepared = prepare(spec, data=tmp_path, cache=tmp_path / "cache")
    left_out = {entry.id: entry.excluded for entry in prepared.manifest if entry.excluded}
    assert left_out == {f"TRAIN/{cell.upper()}/0.png": "is of a group that is in the test set" for cell in CELLS[1:]}
    assert {name: len(images) for name, images in prepared.sets.items()} == {"train": 20, "validation": 8, "test": 32}


def test_too_few_images_are_named():
    with pytest.raises(DataError, match="3 images are too few: none left for validation"):
        split(LISC, fake({"all": {"basophil": 3}}))
