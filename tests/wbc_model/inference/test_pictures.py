"""Which pictures a user means, and what they are called where they are written."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wbc_model.config import TrialConfig
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.errors import InputError
from wbc_model.inference.pictures import Picture, Skipped, find_pictures, read_picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "deep/c.tif", ".hidden.png", ".deep/d.png", "notes.txt", "x[1].png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_folders_globs_and_files_are_found_once_each(folder: Path):
    names = lambda found: [file.relative_to(folder).as_posix() for file in found]  # noqa: E731
    assert names(find_pictures([folder])) == ["a.JPG", "b.png", "deep/c.tif", "x[1].png"]
    assert names(find_pictures([folder / "b.png", folder])) == ["b.png", "a.JPG", "deep/c.tif", "x[1].png"]
    assert names(find_pictures([f"{folder}/**/*.tif"])) == ["deep/c.tif"]
    assert names(find_pictures([folder / "x[1].png"])) == ["x[1].png"]
    assert names(find_pictures([folder / "notes.txt"])) == ["notes.txt"]  # named, so tried


@pytest.mark.parametrize("name", ["nothing.png", "*.gif", ".deep/none"])
def test_what_matches_nothing_is_an_input_error(folder: Path, name: str):
    with pytest.raises(InputError, match="no such file"):
        find_pictures([folder / name])


def test_a_folder_without_pictures_is_an_input_error(tmp_path: Path):
    with pytest.raises(InputError, match="no picture in this folder"):
        find_pictures([tmp_path])


@pytest.mark.parametrize("photographs", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64)])
def test_a_blank_or_tiny_picture_has_no_cell(tmp_path: Path, size: tuple[int, int], photographs: bool):  # noqa: FBT001
    Image.new("RGB", size, (220, 200, 210)).save(tmp_path / "blank.png")
    config = TrialConfig(dataset=BCCD, image_size=32)
    found = read_picture(tmp_path / "blank.png", config=config, photographs=photographs, margin=0)
    if photographs:
        assert isinstance(found, Picture)
        assert found.crops.shape == (0, 32, 32, 3)
    else:
        assert isinstance(found, Skipped)
        assert "no white cell" in found.why


def test_the_crops_are_of_the_model_s_size(tmp_path: Path):
    Image.fromarray(np.full((50, 40, 3), 120, np.uint8)).save(tmp_path / "cell.png")
    found = read_picture(tmp_path / "cell.png", config=TrialConfig(image_size=64), photographs=False, margin=0)
    assert isinstance(found, Picture)
    assert found.crops.shape == (1, 64, 64, 3)
    assert found.boxes == (None,)
