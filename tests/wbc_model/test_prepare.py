"""The command that prepares the datasets and tells what became of each file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.prepare import main
from wbc_model.synthetic.folders import write


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn") / "data"
    write(root, datasets=[BCCD], share=1 / 100, side=48)
    return root


def test_the_summary_tells_every_count(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    bad = next((data / "dataset2-master/dataset2-master/images/TEST/MONOCYTE").iterdir())
    whole = bad.read_bytes()
    bad.write_bytes(b"")
    code = main(["bccd", "--data", str(data), "--cache", str(tmp_path), "--image-size", "32", "--check"])
    bad.write_bytes(whole)
    out = capsys.readouterr().out
    assert code == 0
    rows = {line[:20].strip(): line[20:].split() for line in out.splitlines() if line[20:].split()[:1]}
    assert rows["bccd"] == ["monocyte", "eosinophil", "neutrophil", "lymphocyte", "all", "Table", "2"]
    assert rows["published, Table 1"] == ["3098", "3120", "3123", "3103", "12444"]
    assert rows["found"] == ["80", "80", "80", "80", "320"]
    assert rows["left out"][0] == "1"
    sizes = [int(rows[name][4]) for name in ("train", "validation", "test")]
    assert sum(sizes) == 320 - int(rows["left out"][4])
    assert f"left out 1: {bad}: cannot be decoded" in out
    assert "every array has the bytes that were written" in out


def test_images_whose_content_was_not_fetched_are_left_out_and_counted(tmp_path: Path, capsys):
    """As git-annex and DVC leave them; when they are fetched, they are prepared anew."""
    folder = tmp_path / "cells"
    for cell in ("blast", "band"):
        (folder / cell).mkdir(parents=True)
        for i in range(12):
            Image.new("RGB", (8, 8), (200, 10 * i, 90)).save(folder / cell / f"{i}.png")
    moved = [file.rename(tmp_path / file.name) for file in sorted((folder / "blast").iterdir())[:3]]
    for file in moved:
        (folder / "blast" / file.name).symlink_to(f"../../annex/{file.name}")
    command = [str(folder), "--cache", str(tmp_path / "cache"), "--image-size", "32"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "left out                       0           3        3" in out
    assert "left out 3: is a link without content: fetch the file" in out
    (tmp_path / "annex").mkdir()
    for file in moved:
        file.rename(tmp_path / "annex" / file.name)
    assert main(command) == 0
    assert "left out                       0           0        0" in capsys.readouterr().out


def test_a_damaged_cache_is_told(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command = ["lisc", "--data", str(drawn), "--cache", str(tmp_path), "--image-size", "32", "--check"]
    assert main(command) == 0
    (array,) = tmp_path.glob("*/train.npy")
    array.write_bytes(array.read_bytes()[:-1] + b"\x07")
    assert main(command) == 1
    assert "train.npy in" in capsys.readouterr().err


def test_data_that_would_not_do_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["lisc", "--data", str(tmp_path)]) == 2
    assert "error: lisc: wanted LISC Database/Main Dataset" in capsys.readouterr().err
    assert main(["holiday", "--data", str(tmp_path)]) == 2
    assert "the paper's are ldwbc, lisc, bccd, raabin" in capsys.readouterr().err


def test_without_names_what_is_there_is_prepared_and_the_others_are_named(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["--data", str(drawn), "--cache", str(tmp_path / "cache"), "--image-size", "32"]) == 0
    out = capsys.readouterr().out
    assert out.count("published, Table 1") == 1
    (told,) = out.split("Not prepared, because they are not in ")[1:]
    assert [line.split(":")[0] for line in told.splitlines()[1::2]] == ["ldwbc", "bccd", "raabin"]
    assert told.count("Download it from") == 3
    assert main(["--data", str(tmp_path / "cache")]) == 2
    assert capsys.readouterr().err.count("Download it from") == 4
    assert main([]) == 2
    assert "--data DIR" in capsys.readouterr().err


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two classes of 20 images of five patients, and folders of other words."""
    rng = np.random.default_rng(0)
    for folder, n in {"Blasts": 20, "lymphocyte with vacuole": 20, "lymphoblast": 3, "blast_lookalike": 0}.items():
        for k in range(n):
            file = tmp_path / "cells" / folder / f"p{k % 5}_{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(file)
    (tmp_path / "cells" / "dataset.toml").write_text(
        """classes = ["blast", "lymphocyte with vacuole"]\n[groups]\npattern = "/(p[0-9])_"\n"""
    )
    return tmp_path / "cells"


def test_an_own_dataset_is_told_with_its_groups_what_is_not_used_and_no_table_of_the_paper(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = [str(own), "--cache", str(tmp_path / "cache"), "--image-size", "32", "--split", "source_grouped"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "Table" not in out
    assert "published" not in out
    head, *_ = out.splitlines()
    assert head.split() == ["cells", "blast", "lymphocyte", "with", "vacuole", "all"]
    rows = {line[:20].strip(): line[20:].split() for line in out.splitlines()}
    assert rows["found"] == ["20", "20", "40"]
    assert [rows[f"groups, {name}"] for name in ("train", "validation", "test")] == [["3"] * 3, ["1"] * 3, ["1"] * 3]
    assert "not used: the folder lymphoblast, of no class: 3 files" in out
