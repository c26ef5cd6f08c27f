"""The cache: from files of images to arrays and a manifest."""

import contextlib
import hashlib
import os
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.wbc_model.conftest import LDWBC_FOLDERS, load, paint
from wbc_model.choices import CELLS, Augmentation, ImageSource
from wbc_model.datasets.dataset import DataError
from wbc_model.datasets.find import DRAWN_MARK, ImageFile, find
from wbc_model.datasets.ldwbc import DATASET as LDWBC
from wbc_model.datasets.raabin import DATASET as RAABIN
from wbc_model.datasets.spec import DataSpec
from wbc_model.errors import Damaged
from wbc_model.preparation import cache
from wbc_model.preparation.cache import corrupt_arrays
from wbc_model.preparation.cache_folder import default_cache, folder_name
from wbc_model.preparation.manifest import Entry, decode_manifest, read_manifest, write_manifest


@pytest.mark.parametrize(("cache_home", "home", "expected"), [
    ("/big", "/home/me", "/big/wbc-study"), ("", "/home/me", "/home/me/.cache/wbc-study"),
    ("relative", "/home/me", "/home/me/.cache/wbc-study"), (None, "/home/me", "/home/me/.cache/wbc-study"),
])  # fmt: skip
def test_the_default_cache(cache_home: str | None, home: str, expected: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if cache_home is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", cache_home)
    monkeypatch.setenv("HOME", home)
    assert default_cache() == Path(expected)


def test_what_is_cached_is_found_by_later_versions_too(tmp_path: Path):
    """A change here makes every machine prepare all images again, and is right only with a new FORMAT."""
    file = ImageFile("basophil/a.png", "basophil", "all", tmp_path / "a.png")
    file.path.write_bytes(b"abc")
    os.utime(file.path, ns=(10**18, 10**18))
    spec = DataSpec(dataset=LDWBC)
    assert folder_name(spec, [file]) == "ldwbc-224-a63135b638ec"
    assert folder_name(replace(spec, macenko=True), [file]) == "ldwbc-macenko-224-a63135b638ec"


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
    assert {entry.pixels for entry in prepared.manifest} == {"40x30"}
    manifest.write_text("\n".join(line.rsplit(",", 4)[0] for line in manifest.read_text().splitlines()))
    assert read_manifest(manifest) == tuple(
        replace(entry, size=None, group="", pixels="") for entry in prepared.manifest
    )
    again = load(tmp_path, into=tmp_path / "cache", dataset=RAABIN)
    assert again.fingerprint == prepared.fingerprint


def test_a_manifest_without_pixel_sizes_is_read_and_its_damage_noticed():
    content = b"id,cell,split,copies,sha256,excluded,size,group,crc32\na.png,basophil,test,0,ab,,3,g,8b7e2249\n"
    assert decode_manifest(content, where="") == (Entry("a.png", "basophil", "test", 0, "ab", "", 3, "g"),)
    with pytest.raises(Damaged):
        decode_manifest(content.replace(b",3,g", b",4,g"), where="")


def test_no_damage_to_a_manifest_goes_unnoticed(tmp_path: Path):
    entries = tuple(
        Entry(
            id=f"{name}.png",
            cell="basophil",
            split=split,
            copies=0,
            sha256="ab",
            excluded="",
            size=3,
            group=name,
            pixels="4x5",
        )
        for name, split in {"a": "train", "b": "test", "c": ""}.items()
    )
    write_manifest(tmp_path / "manifest.csv", entries)
    content = (tmp_path / "manifest.csv").read_bytes()
    flipped = [content[:i] + bytes([content[i] ^ 1 << bit]) + content[i + 1 :] for i in range(len(content))
               for bit in range(8)]  # fmt: skip
    lines = content.splitlines(keepends=True)
    fewer = [b"".join(lines[:i] + lines[i + 1 :]) for i in range(len(lines))]
    for damaged in [*flipped, *(content[:i] for i in range(len(content))), *fewer]:
        with contextlib.suppress(Damaged):
            assert decode_manifest(damaged, where="manifest.csv") == entries


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
