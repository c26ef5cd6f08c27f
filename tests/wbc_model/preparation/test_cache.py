"""Layouts, splits and the cache: from folders of images to arrays."""

import csv
import hashlib
import random
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from search_spaces.paper import DATASETS
from wbc_model.choices import CELLS, Augmentation, ImageSource, SplitBy
from wbc_model.datasets import groups
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.dataset import DataError, Dataset
from wbc_model.datasets.find import DRAWN_MARK, ImageFile, find, require, unused
from wbc_model.datasets.ldwbc import DATASET as LDWBC
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.datasets.lisc import FOLDERS as LISC_FOLDERS
from wbc_model.datasets.photographs import PhotographOrigins
from wbc_model.datasets.raabin import DATASET as RAABIN
from wbc_model.datasets.spec import DataSpec
from wbc_model.preparation import cache
from wbc_model.preparation.augment import images_to_copy
from wbc_model.preparation.cache import Prepared, corrupt_arrays, prepare
from wbc_model.preparation.manifest import read_manifest
from wbc_model.preparation.splits import joined, split
from wbc_model.synthetic.cells import draw_cell

LDWBC_FOLDERS = ("Basophil", "monocyte_crops", "EOSINOPHIL", "neutrophils", "Lymphocyte")


def paint(file: Path, colour: tuple[int, int, int] = (200, 30, 90)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), colour).save(file)


@pytest.fixture
def ldwbc(tmp_path: Path) -> Path:
    for i, folder in enumerate(LDWBC_FOLDERS):
        for k in range(5):
            paint(tmp_path / "data" / "LDWBC" / folder / f"{k}.png", (40 * i, 10 * k, 120))
    return tmp_path / "data"


def load(
    data: Path,
    *,
    into: Path | None = None,
    dataset: Dataset = LDWBC,
    images: ImageSource = ImageSource.PUBLISHED,
    augmentation: Augmentation = Augmentation.NONE,
    image_size: int = 32,
    limit: float | None = None,
) -> Prepared:
    cache = into or data.parent / "cache"
    spec = DataSpec(dataset=dataset, images=images, augmentation=augmentation, image_size=image_size)
    return prepare(spec, data=data, cache=cache, workers=2, limit=limit)


def fake(counts: dict) -> list[ImageFile]:
    return [
        ImageFile(f"{part}/{cell}/{i}.jpg", cell, part, Path())
        for part, cells in counts.items()
        for cell, n in cells.items()
        for i in range(n)
    ]


def test_table_1_sums():
    totals = {d: sum(sum(cells.values()) for cells in d.published.values()) for d in DATASETS}
    assert totals == {LDWBC: 22645, LISC: 242, BCCD: 12444, RAABIN: 14514}


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


def test_the_manifest_knows_sizes_and_groups_and_is_read_without_them(tmp_path: Path):
    for part in ("Train", "TestA"):
        for cell in CELLS:
            for k in range(5):
                paint(tmp_path / "Raabin" / part / cell.capitalize() / f"95-{k}-{part}_7_1.png")
    prepared = load(tmp_path, into=tmp_path / "cache", dataset=RAABIN)
    sizes = {sample.id: sample.path.stat().st_size for sample in find(RAABIN, tmp_path)}
    assert {entry.id: entry.size for entry in prepared.manifest} == sizes
    assert {entry.group for entry in prepared.manifest} == {
        f"95-{k}-{part}" for k in range(5) for part in ("Train", "TestA")
    }
    manifest = prepared.folder / "manifest.csv"
    assert read_manifest(manifest) == prepared.manifest
    manifest.write_text("\n".join(line.rsplit(",", 2)[0] for line in manifest.read_text().splitlines()))
    assert read_manifest(manifest) == tuple(replace(entry, size=None, group="") for entry in prepared.manifest)
    again = load(tmp_path, into=tmp_path / "cache", dataset=RAABIN)
    assert again.fingerprint == prepared.fingerprint


def test_a_class_whose_groups_are_all_in_the_given_test_set_is_an_error():
    samples = fake({"train": dict.fromkeys(CELLS, 20), "test": dict.fromkeys(CELLS, 10)})
    groups = {sample.id: "shared" if sample.cell == "basophil" else sample.id for sample in samples}
    with pytest.raises(DataError, match="leaves no basophil to train on"):
        split(RAABIN, samples, by=SplitBy.SOURCE_GROUPED, groups=groups)


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


def test_class_folders_in_any_case_with_suffixes(ldwbc: Path):
    paint(ldwbc / "LDWBC" / "mixed" / "0.png")
    found = find(LDWBC, ldwbc)
    assert Counter(sample.cell for sample in found) == dict.fromkeys(CELLS, 5)


@pytest.mark.parametrize("prefix", ["", "raabin", "Raabin-WBC"])
def test_a_dataset_may_lie_one_folder_deeper(prefix: str, tmp_path: Path):
    for part in ("Train", "TestA", "TestB"):
        for cell in CELLS:
            paint(tmp_path / prefix / part / cell.capitalize() / "95-1_1_1.jpg")
    assert Counter(sample.part for sample in find(RAABIN, tmp_path)) == {"train": 5, "test": 5}


def test_a_missing_dataset_says_what_was_wanted_found_and_where_it_comes_from(tmp_path: Path):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(
        DataError, match=r"bccd: wanted .*TRAIN and .* in .*, found: holiday\n  Download it from Kaggle"
    ):
        find(BCCD, tmp_path)


def test_every_missing_dataset_is_named_at_once(ldwbc: Path):
    with pytest.raises(DataError) as caught:
        require(dict.fromkeys(DATASETS, ldwbc))
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines[::2]] == ["lisc", "bccd", "raabin"]
    assert all("Download it from" in line for line in lines[1::2])


def test_folders_of_other_words_are_told_as_unused_and_not_merged(ldwbc: Path):
    for folder, n in {"lymphoblast": 3, "Monoblasts": 2, "promonocyte": 1, "monocytes 2": 4}.items():
        for k in range(n):
            paint(ldwbc / "LDWBC" / folder / f"{k}.png")
    assert unused(LDWBC, ldwbc) == {"lymphoblast": 3, "Monoblasts": 2, "promonocyte": 1}
    assert Counter(sample.cell for sample in find(LDWBC, ldwbc)) == dict.fromkeys(CELLS, 5) | {"monocyte": 9}


def test_an_empty_class_is_an_error(ldwbc: Path):
    for file in (ldwbc / "LDWBC" / "Basophil").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="no images of the class basophil"):
        find(LDWBC, ldwbc)


def test_real_bccd_is_found_whole(shared: Path):
    counts = Counter((sample.part, sample.cell) for sample in find(BCCD, shared / "data"))
    expected = BCCD.published
    assert counts == {(part, cell): n for part, cells in expected.items() for cell, n in cells.items()}


def test_prepared_pixels_labels_and_ids_belong_together(ldwbc: Path):
    """Colours tell class and number, so a mix-up shows; labels follow B M E N L, not the folders' order."""
    prepared = load(ldwbc)
    assert {name: len(images) for name, images in prepared.sets.items()} == {"train": 15, "validation": 5, "test": 5}
    for images in prepared.sets.values():
        assert images.pixels.shape[1:] == (32, 32, 3)
        for pixels, label, name in zip(images.pixels, images.labels, images.ids, strict=True):
            folder, file = name.split("/")
            assert LDWBC_FOLDERS[label] == folder
            assert pixels[0, 0].tolist() == [40 * label, 10 * int(file[0]), 120]


def test_the_second_opening_reads_no_image(ldwbc: Path, monkeypatch: pytest.MonkeyPatch):
    first = load(ldwbc)
    monkeypatch.delattr("wbc_model.preparation.build._examine")
    again = load(ldwbc)
    assert again.fingerprint == first.fingerprint
    assert isinstance(again.sets["train"].pixels, np.memmap)


def test_a_changed_file_changes_the_fingerprint(ldwbc: Path):
    before = load(ldwbc).fingerprint
    paint(ldwbc / "LDWBC" / "Basophil" / "0.png", (1, 2, 3))
    assert load(ldwbc).fingerprint != before


def test_the_fingerprint_is_of_content_not_of_place(ldwbc: Path, tmp_path: Path):
    before = load(ldwbc).fingerprint
    moved = ldwbc.rename(tmp_path / "elsewhere")
    assert load(moved, into=tmp_path / "other", image_size=64).fingerprint == before


def test_a_damaged_image_is_left_out_and_named(ldwbc: Path):
    bad = ldwbc / "LDWBC" / "neutrophils" / "3.png"
    bad.write_bytes(bad.read_bytes()[:60])
    (ldwbc / "LDWBC" / "neutrophils" / "4.png").write_bytes(b"")
    prepared = load(ldwbc)
    assert sum(map(len, prepared.sets.values())) == 23
    reasons = {entry.id: entry.excluded for entry in prepared.manifest if entry.excluded}
    assert set(reasons) == {"neutrophils/3.png", "neutrophils/4.png"}
    assert str(bad) in reasons["neutrophils/3.png"]


def test_one_builds_and_the_others_wait(ldwbc: Path, monkeypatch: pytest.MonkeyPatch):
    results: list[str] = []
    built: list[Path] = []
    build = cache.build
    monkeypatch.setattr(cache, "build", lambda *a, **k: (built.append(a[2]), time.sleep(0.2), build(*a, **k)))
    threads = [threading.Thread(target=lambda: results.append(load(ldwbc).fingerprint)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(built) == 1
    assert len(set(results)) == 1


def test_drawings_cannot_pass_for_published_images_nor_the_other_way(ldwbc: Path):
    with pytest.raises(DataError, match="holds published images, and images=drawn was asked for"):
        load(ldwbc, images=ImageSource.DRAWN)
    (ldwbc / DRAWN_MARK).write_text("drawn")
    with pytest.raises(DataError, match="holds drawn images, and images=published was asked for"):
        load(ldwbc)


def test_the_manifest_says_which_file_is_where(ldwbc: Path):
    manifest = load(ldwbc).manifest
    assert Counter(entry.split for entry in manifest) == {"train": 15, "validation": 5, "test": 5}
    for entry in manifest:
        assert entry.sha256 == hashlib.sha256((ldwbc / "LDWBC" / entry.id).read_bytes()).hexdigest()


def test_a_damaged_cache_is_found_out(ldwbc: Path):
    folder = load(ldwbc).folder
    assert corrupt_arrays(folder) == []
    with (folder / "test.npy").open("r+b") as file:
        file.seek(500)
        file.write(b"\x00\x01")
    assert corrupt_arrays(folder) == ["test.npy"]


def test_a_full_disk_is_told_before_it_is_full(ldwbc: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=r"may need 0\.0 GB, .*: make room, or choose another place with --cache"):
        load(ldwbc)


def test_a_cache_grows_no_larger_than_allowed(ldwbc: Path):
    limit = 2 * 3 * 25 * 32**2 * 3 / 1e9  # twice what is asked for to be safe
    folder = load(ldwbc, limit=limit).folder
    (folder.parent / "others").write_bytes(bytes(300_000))
    assert load(ldwbc, limit=limit).folder == folder  # what is there is read
    with pytest.raises(
        DataError, match=r"cache holds 0\.0 GB and may need .* over its limit of .* raise --cache-limit"
    ):
        load(ldwbc, limit=limit, augmentation=Augmentation.LARGEST)


def test_a_file_of_another_kind_is_left_out_and_named(ldwbc: Path):
    (ldwbc / "LDWBC" / "Basophil" / "notes.txt").write_text("see page 3")
    (ldwbc / "LDWBC" / "Basophil" / "0.png").rename(ldwbc / "LDWBC" / "Basophil" / "scan.dat")
    (ldwbc / "LDWBC" / "Basophil" / "._1.png").write_bytes(b"of a file manager")
    manifest = {entry.id.split("/")[-1]: entry for entry in load(ldwbc).manifest if entry.cell == "basophil"}
    assert "notes.txt: cannot be decoded" in manifest["notes.txt"].excluded
    assert manifest["scan.dat"].split
    assert "._1.png" not in manifest


def test_raabin_is_train_and_test_a_and_nothing_else(tmp_path: Path):
    """Check 7: Test-B, which the paper does not use, lies beside them."""
    for part in ("Train", "TestA", "TestB"):
        for cell in CELLS:
            for i in range(4):
                paint(tmp_path / "Raabin" / part / cell.capitalize() / f"95-1-{part}_{i}_1.jpg")
    manifest = load(tmp_path, into=tmp_path / "cache", dataset=RAABIN).manifest
    assert {(entry.id.split("/")[0], entry.split) for entry in manifest} == {
        ("Train", "train"), ("Train", "validation"), ("TestA", "test"),
    }  # fmt: skip


def test_raabins_published_file_names(shared: Path, tmp_path: Path):
    """Check 7 on the real names: all of Test-A, and nothing of Test-B."""
    names = [
        row["path"]
        for file in sorted((shared / "data" / "raabin").glob("*.csv"))
        for row in csv.DictReader(file.read_text().splitlines())
    ]
    for name in [*names, "Train/Neutrophil/95-1_1_1.jpg"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = Counter((s.part, s.cell) for s in find(RAABIN, tmp_path))
    expected = RAABIN.published
    assert {cell: found["test", cell] for cell in CELLS} == expected["test"]
    assert {cell: found["train", cell] for cell in CELLS} == expected["train"] | {"neutrophil": 1}


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


def test_lisc_is_cropped_by_its_masks(tmp_path: Path):
    """The mask lacks a margin of four pixels a side; its box lies around the drawn disc."""
    for folder in LISC_FOLDERS.values():
        for i in range(5):
            picture = np.full((116, 148, 3), 200, np.uint8)
            cv2.rectangle(picture, (50, 40), (89, 79), (10 * i, 20, 90), -1)
            mask = np.zeros((108, 140), np.uint8)
            cv2.rectangle(mask, (46, 36), (85, 75), 75, -1)
            main, truth = tmp_path / "data/LISC Database/Main Dataset", "Ground Truth Segmentation"
            for path, image in (
                (main / folder / f"{i}.bmp", picture),
                (main.parent / truth / folder / "areaforexpert1" / f"{i}_expert.bmp", mask),
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path)
    prepared = load(tmp_path / "data", dataset=LISC, image_size=100)
    assert sum(map(len, prepared.sets.values())) == 25
    for pixels in (pixels for images in prepared.sets.values() for pixels in images.pixels):
        inside = (pixels[..., 2] == 90).mean()
        assert inside == pytest.approx(1 / 1.24**2, abs=0.06)  # padded by 12 % a side
        assert pixels[50, 50, 2] == 90


def test_a_picture_without_its_mask_is_left_out_and_named(tmp_path: Path):
    for folder in LISC_FOLDERS.values():
        for i in range(2):
            paint(tmp_path / "LISC Database/Main Dataset" / folder / f"{i}.bmp")
    with pytest.raises(DataError, match=r"too few: none left.*\n.*10 left out.*its mask is missing"):
        load(tmp_path, dataset=LISC)
