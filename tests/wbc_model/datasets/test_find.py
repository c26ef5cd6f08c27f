"""Layouts: from folders of images to a list of files with their classes."""

import csv
import os
from collections import Counter
from pathlib import Path

import pytest

from search_spaces.paper import DATASETS
from tests.wbc_model.conftest import paint
from wbc_model.choices import CELLS
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.dataset import DataError
from wbc_model.datasets.find import find, require, unused
from wbc_model.datasets.ldwbc import DATASET as LDWBC
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.datasets.raabin import DATASET as RAABIN


def test_table_1_sums():
    totals = {d: sum(sum(cells.values()) for cells in d.published.values()) for d in DATASETS}
    assert totals == {LDWBC: 22645, LISC: 242, BCCD: 12444, RAABIN: 14514}


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


def neutrophils(root: Path) -> dict[str, str]:
    """Id and what is lacking of every neutrophil."""
    return {sample.id: sample.lacking for sample in find(LDWBC, root) if sample.cell == "neutrophil"}


def test_a_link_without_content_is_found_and_told(ldwbc: Path):
    folder = next((ldwbc / "LDWBC").glob("[Nn]eutro*"))
    (folder / "annexed.png").symlink_to("../../.git/annex/objects/x.png")
    (folder / "round.png").symlink_to("round.png")
    os.mkfifo(folder / "pipe.png")
    found = neutrophils(ldwbc)
    assert found[f"{folder.name}/annexed.png"] == "is a link without content: fetch the file"
    assert found[f"{folder.name}/round.png"] == "is a link without content: fetch the file"
    assert found[f"{folder.name}/pipe.png"] == "is no file"
    assert sorted(found.values())[0] == ""


def test_linked_folders_are_followed_each_once_and_not_in_circles(ldwbc: Path, tmp_path: Path):
    folder = next((ldwbc / "LDWBC").glob("[Nn]eutro*"))
    before = neutrophils(ldwbc)
    paint(tmp_path / "elsewhere" / "deep" / "1.png")
    paint(folder / "own" / "2.png")
    paint(folder / ".hidden" / "3.png")
    (tmp_path / "elsewhere" / "deep" / "circle").symlink_to(tmp_path / "elsewhere")
    (folder / "a linked").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(tmp_path / "elsewhere" / "deep")
    (folder / "also own").symlink_to("own")
    (folder / "up").symlink_to("..")
    more = {f"{folder.name}/a linked/deep/1.png", f"{folder.name}/own/2.png"}
    assert neutrophils(ldwbc).keys() == before.keys() | more


def test_a_file_name_in_another_encoding_has_an_id_that_can_be_written(ldwbc: Path):
    folder = next((ldwbc / "LDWBC").glob("[Nn]eutro*"))
    file = Path(os.fsdecode(os.fsencode(folder) + b"/z\xe9lle [1] 50%.png"))
    paint(folder / "1 of z.png")
    (folder / "1 of z.png").rename(file)
    (found,) = [sample for sample in find(LDWBC, ldwbc) if "z" in sample.id and "lle" in sample.id]
    assert (found.id, found.path) == (f"{folder.name}/z\\xe9lle [1] 50%.png", file)
    assert found.id.encode()


def test_a_class_folder_that_is_a_link_to_nowhere_is_an_error(ldwbc: Path):
    (ldwbc / "LDWBC" / "neutrophil_2").symlink_to("../not/mounted")
    with pytest.raises(DataError, match="neutrophil_2 is a link to ../not/mounted, which is not there: fetch it"):
        find(LDWBC, ldwbc)


def test_an_empty_class_is_an_error(ldwbc: Path):
    for file in (ldwbc / "LDWBC" / "Basophil").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="no images of the class basophil"):
        find(LDWBC, ldwbc)


def test_real_bccd_is_found_whole(shared: Path):
    counts = Counter((sample.part, sample.cell) for sample in find(BCCD, shared / "data"))
    expected = BCCD.published
    assert counts == {(part, cell): n for part, cells in expected.items() for cell, n in cells.items()}


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
