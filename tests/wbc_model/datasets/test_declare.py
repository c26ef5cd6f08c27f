"""A user's own dataset: a folder alone, a folder with a declaration, and what is wrong with either."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import DataError, Dataset, Groups, letters
from wbc_model.datasets.declare import all_of, declare
from wbc_model.datasets.find import find, unused
from wbc_model.datasets.groups import groups_of
from wbc_model.errors import InputError


def paint(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (200, 30, 90)).save(file)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    folder = tmp_path / "My Cells"
    paint(*(folder / name / f"p{i % 2}_{i}.png" for name in ("Erythroblast", "IG", "eosinophil") for i in range(4)))
    (folder / "empty").mkdir()
    (folder / ".hidden").mkdir()
    return folder


def test_a_folder_of_class_folders_is_enough(cells: Path):
    dataset, place = declare(str(cells))
    assert dataset == Dataset(name="my-cells", classes=("eosinophil", "erythroblast", "ig"))
    assert place == cells
    assert [file.cell for file in find(dataset, cells)] == 4 * ["erythroblast"] + 4 * ["ig"] + 4 * ["eosinophil"]


def test_a_declaration_says_more(cells: Path):
    (cells / "dataset.toml").write_text(
        """
        name = "ward"
        label = "Ward 2"
        classes = ["ig", "eosinophil"]
        copies = "none"
        published = {all = {ig = 4, eosinophil = 4}}
        [groups]
        pattern = "(p[0-9]+)_"
        """
    )
    dataset, _ = declare(str(cells))
    assert (dataset.name, dataset.title, dataset.classes, dataset.copies) == (
        "ward",
        "Ward 2",
        ("ig", "eosinophil"),
        "none",
    )
    files = find(dataset, cells)
    assert set(groups_of(dataset, files, data=cells, cache=cells).values()) == {"p0", "p1"}
    assert unused(dataset, cells) == {"Erythroblast": 4}
    assert declare(f"other={cells / 'dataset.toml'}")[0].name == "other"


def test_groups_may_stand_in_a_table(cells: Path):
    dataset = Dataset(name="x", classes=("ig", "eosinophil"), groups=Groups(csv="patients.csv", column="patient"))
    files = find(dataset, cells)
    lines = [f"{file.id},{i // 2}" for i, file in enumerate(files)]
    (cells / "patients.csv").write_text("\n".join(["file,patient", *lines]))
    found = groups_of(dataset, files, data=cells, cache=cells)
    assert list(found.values()) == ["0", "0", "1", "1", "2", "2", "3", "3"]
    (cells / "patients.csv").write_text("\n".join(["file,patient", *lines[1:]]))
    with pytest.raises(InputError, match=r"names no patient of 1 image, the first is IG/p0_0\.png"):
        groups_of(dataset, files, data=cells, cache=cells)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 3", "colour=3: Unexpected keyword argument"),
        ("classes = ['one']", "two classes or more"),
        ("name = 'lisc'", "lisc is one of the paper's; call yours otherwise: NAME="),
        ("crop = 'mask'", "needs mask, the path of an image's mask"),
        ("groups = {pattern = 'p'}", "exactly one pair of parentheses"),
        ("groups = {pattern = '(p'}", "is no regular expression"),
        ("classes = ['a', 'b']\nparts = {train = 'a'}", "either all, or train and test"),
        ("folders = {band = 'Bands'}", "folders names classes that there are not: band"),
        ("name = ", "is no TOML"),
    ],
)
def test_a_wrong_declaration_is_one_clear_line(cells: Path, text: str, message: str):
    (cells / "dataset.toml").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        declare(str(cells))
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize("content", [b"file;patient\nz\xe9lle.png;1\n", b"file,patient\n" + b"x" * 200_000 + b",1\n"])
def test_a_table_of_groups_that_cannot_be_read_is_told(content: bytes, cells: Path):
    (cells / "patients.csv").write_bytes(content)
    (cells / "dataset.toml").write_text('[groups]\ncsv = "patients.csv"\ncolumn = "patient"\n')
    dataset, _ = declare(str(cells))
    with pytest.raises(DataError, match="patients.csv is no CSV file in UTF-8: "):
        groups_of(dataset, find(dataset, cells), data=cells, cache=cells)


@pytest.mark.parametrize("name", ["a=b", "it's [1] 50% é", "x" * 100])
def test_a_folder_of_any_name_is_found_with_and_without_a_name(name: str, cells: Path, monkeypatch: pytest.MonkeyPatch):
    folder = cells.rename(cells.with_name(name))
    assert declare(str(folder))[1] == declare(f"mine={folder}")[1] == folder
    assert declare(f"mine={folder}")[0].name == "mine"
    assert len(declare(str(folder))[0].name) <= 64
    monkeypatch.setenv("HOME", str(folder.parent))
    assert declare(f"mine=~/{name}")[1] == declare(f"~/{name}")[1] == folder


def test_names_that_do_not_fit_are_told(cells: Path):
    with pytest.raises(InputError, match=f"longer than 64 characters; call it NAME={cells}"):
        declare(f"{65 * 'x'}={cells}")
    Path(os.fsdecode(os.fsencode(cells) + b"/z\xe9lle")).mkdir()
    (next(each for each in cells.iterdir() if each.name.startswith("z")) / "1.png").touch()
    with pytest.raises(InputError, match=r"class folder 'z\\udce9lle' is no printable UTF-8: rename it"):
        declare(str(cells))


def test_what_is_no_dataset_is_told(cells: Path, tmp_path: Path):
    with pytest.raises(InputError, match="no such folder or declaration; the paper's are ldwbc"):
        declare(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="wanted a folder of images for each class.* found: my cells"):
        declare(str(tmp_path))
    with pytest.raises(InputError, match="two datasets are called my-cells"):
        all_of([str(cells), f"my-cells={cells}"])
    assert list(all_of(["lisc", str(cells)]).values()) == [None, cells]


def test_a_config_holds_an_own_dataset_whole(cells: Path):
    config = TrialConfig(dataset=declare(str(cells))[0])
    assert TrialConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert config.knobs() == {"dataset": "my-cells"}
    told = TrialConfig(dataset=declare(f"my-cells={cells}")[0])
    assert told.id == config.id


def test_what_changes_no_training_changes_no_id():
    base = {"name": "x", "classes": ("a", "b")}
    ids = {TrialConfig(dataset=Dataset(**base, **more)).id for more in ({}, {"label": "X"}, {"terms": "MIT"})}
    assert len(ids) == 1
    others = [Dataset(name="x", classes=("b", "a")), Dataset(**base, copies=50), Dataset(**base, crop="segment")]
    assert len(ids | {TrialConfig(dataset=dataset).id for dataset in others}) == 4


def test_every_class_has_a_letter_of_its_own():
    assert letters(("basophil", "monocyte", "eosinophil", "neutrophil", "lymphocyte")) == tuple("BMENL")
    assert letters(("eosinophil", "erythroblast", "ig")) == ("Eo", "Er", "I")
    assert letters(("neutrophil", "neutrophil_band")) == ("Neutrophil", "NB")
    assert len(set(letters(("a", "ab", "abc", "a b", "a c")))) == 5
