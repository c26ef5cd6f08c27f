"""The audit finds planted leaks, and says nothing where there are none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wbc_model.audit import audit, main, source_lines
from wbc_model.choices import CELLS, Augmentation, SplitBy
from wbc_model.datasets.dataset import DataError
from wbc_model.datasets.find import ImageFile
from wbc_model.datasets.ldwbc import DATASET as LDWBC
from wbc_model.datasets.photographs import UNKNOWN, PhotographOrigins, origins
from wbc_model.datasets.spec import DataSpec
from wbc_model.preparation.cache import prepare
from wbc_model.preparation.manifest import Entry
from wbc_model.synthetic.cells import draw_cell


def save(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


@pytest.fixture
def ldwbc(tmp_path: Path) -> Path:
    """Noise, smoothed: no two images look alike."""
    rng = np.random.default_rng(0)
    for cell in CELLS:
        for k in range(6):
            coarse = Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8))
            save(tmp_path / "data" / "LDWBC" / cell / f"{k}.png", np.asarray(coarse.resize((64, 64))))
    return tmp_path / "data"


def sets_of(data: Path) -> dict[str, list[Path]]:
    prepared = prepare(DataSpec(dataset=LDWBC, augmentation=Augmentation.NONE), data=data, cache=data.parent / "first")
    return {name: [data / "LDWBC" / each for each in images.ids] for name, images in prepared.sets.items()}


def run(data: Path) -> tuple[str, int]:
    lines, leaks = audit(LDWBC, data=data, cache=data.parent / "cache")
    return "\n".join(lines), leaks


def test_nothing_is_found_where_nothing_leaks(ldwbc: Path):
    text, leaks = run(ldwbc)
    assert leaks == 0
    assert text.count(": 0 pairs, 0 across sets, 0 with two labels") == 2


def test_a_file_that_is_in_two_sets_is_found(ldwbc: Path):
    sets = sets_of(ldwbc)
    sets["test"][0].write_bytes(sets["train"][0].read_bytes())
    text, leaks = run(ldwbc)
    assert leaks == 1
    assert "files with equal bytes: 1 pairs, 1 across sets" in text
    assert f"{sets['test'][0].relative_to(ldwbc / 'LDWBC')} (test)" in text


@pytest.mark.parametrize("turn", [np.fliplr, np.rot90, lambda pixels: np.clip(pixels * 0.9 + 9, 0, 255)])
def test_a_copy_that_was_changed_is_found(ldwbc: Path, turn):
    sets = sets_of(ldwbc)
    save(sets["test"][0], turn(np.asarray(Image.open(sets["train"][0]))).astype(np.uint8))
    text, leaks = run(ldwbc)
    assert leaks == 1
    assert "images that look alike: 1 pairs, 1 across sets" in text


def test_every_pair_with_two_labels_is_printed_and_the_split_that_keeps_duplicates_together(ldwbc: Path):
    for name, copied in (("monocyte", "basophil"), ("neutrophil", "eosinophil")):
        for k in range(6):
            (ldwbc / "LDWBC" / name / f"{k}.png").write_bytes((ldwbc / "LDWBC" / copied / f"{k}.png").read_bytes())
    text, leaks = run(ldwbc)
    assert leaks
    assert text.count("  two labels: ") == 12
    assert "--set split=duplicates_grouped" in text
    for a, b in (("basophil", "monocyte"), ("eosinophil", "neutrophil")):
        assert all(f"two labels: {a}/{k}.png (" in text and f"{b}/{k}.png" in text for k in range(6))
    lines, leaks = audit(LDWBC, data=ldwbc, cache=ldwbc.parent / "cache", by=SplitBy.DUPLICATES_GROUPED)
    assert leaks == 0
    assert lines[0] == "files with equal bytes: 12 pairs, 0 across sets, 12 with two labels"
    assert "--set split" not in "".join(lines)


@pytest.mark.parametrize("by", ["pattern", "csv"])
def test_the_groups_of_any_dataset_are_audited(by: str, ldwbc: Path, capsys: pytest.CaptureFixture[str]):
    """The patient is the number of each file: every patient has an image of each class."""
    own = ldwbc / "LDWBC"
    rule = r'pattern = "/([0-9])[.]png$"' if by == "pattern" else 'csv = "who.csv"\ncolumn = "patient"'
    rows = [f"{cell}/{k}.png,{k}" for cell in CELLS for k in range(6)]
    (own / "who.csv").write_text("\n".join(["file,patient", *rows]))
    (own / "dataset.toml").write_text(f"[groups]\n{rule}\n")
    words = [f"mine={own}", "--cache", str(own.parent / "cache")]
    assert main(words) == 1
    assert "sources in several sets: 6, in the test set and another: " in capsys.readouterr().out
    assert main([*words, "--split", "source_grouped"]) == 0
    assert "sources in several sets: 0, in the test set and another: 0" in capsys.readouterr().out


def entry(name: str, cell: str, split: str) -> Entry:
    return Entry(name, cell, split, 0, name, "")


def test_sources_and_cells_that_two_sets_share_are_counted():
    entries = [entry("a", "monocyte", "test"), entry("b", "monocyte", "train"), entry("c", "lymphocyte", "train"),
               entry("d", "monocyte", "validation"), entry("e", "monocyte", "train")]  # fmt: skip
    sources = {"a": "1", "b": "2", "c": "3", "d": "2", "e": "4"}
    lines, leaks = source_lines(entries, sources, [("1", "2"), ("3", "4"), ("4", "absent")])
    assert leaks == 2
    assert "test: 1 image of 1 source (lymphocyte 0, monocyte 1)" in lines
    assert "sources in several sets: 1, in the test set and another: 0" in lines
    assert "sources that show one cell: 2 pairs, 1 between test and the other sets, 1 with two labels" in lines
    assert "  3 (lymphocyte, train) = 4 (monocyte, train)" in lines


def test_origins_are_matched_once_and_kept(tmp_path: Path):
    drawings = [draw_cell(CELLS[k], np.random.default_rng(k), height=240, width=320, fill=0.6).pixels for k in (1, 2)]
    for k, pixels in enumerate(drawings):
        save(tmp_path / "data" / "JPEGImages" / f"BloodImage_{k}.jpg", pixels)
    images = [drawings[0][::-1], drawings[1][:, ::-1], np.zeros_like(drawings[0])]
    samples = []
    for k, pixels in enumerate(images):
        save(tmp_path / f"{k}.png", np.ascontiguousarray(pixels))
        samples.append(ImageFile(f"TEST/{k}.png", "monocyte", "test", tmp_path / f"{k}.png"))
    expected = {"TEST/0.png": "BloodImage_0", "TEST/1.png": "BloodImage_1", "TEST/2.png": UNKNOWN}
    found = origins(samples, folders=["JPEGImages"], data=tmp_path / "data", cache=tmp_path / "cache")
    assert found.photograph == expected
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text(kept.read_text().replace("BloodImage_1", "from the file"))
    assert (
        origins(samples, folders=["JPEGImages"], data=tmp_path / "data", cache=tmp_path / "cache").photograph[
            "TEST/1.png"
        ]
        == "from the file"
    )
    with pytest.raises(DataError, match="wanted the photographs that the images are copies of in .*JPEGImages"):
        origins(samples, folders=["JPEGImages"], data=tmp_path / "cache", cache=tmp_path / "cache")


def test_photographs_of_one_cell_have_one_name_however_they_are_paired():
    found = PhotographOrigins(dict(zip("abcd", "1234", strict=True)), (("2", "3"), ("1", "2"), ("3", "9")))
    assert found.cells() == {"a": "1", "b": "1", "c": "1", "d": "4"}


def test_an_unknown_dataset_and_a_missing_folder_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["holiday", "--data", str(tmp_path)]) == 2
    assert "the paper's are ldwbc, lisc, bccd, raabin" in capsys.readouterr().err
    assert main(["lisc"]) == 2
    assert "the paper's datasets need --data DIR" in capsys.readouterr().err


def test_missing_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["raabin", "--data", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 2
    assert capsys.readouterr().err.startswith("error: raabin: wanted ")
