"""The command that prepares the datasets and tells what became of each file."""

from pathlib import Path

import pytest

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


def test_a_damaged_cache_is_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command = ["bccd", "--data", str(data), "--cache", str(tmp_path), "--image-size", "32", "--check"]
    assert main(command) == 0
    (array,) = tmp_path.glob("*/train.npy")
    array.write_bytes(array.read_bytes()[:-1] + b"\x07")
    assert main(command) == 1
    assert "train.npy in" in capsys.readouterr().err


def test_data_that_would_not_do_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["lisc", "--data", str(tmp_path)]) == 2
    assert "error: lisc: wanted LISC Database/Main Dataset" in capsys.readouterr().err
    assert main(["holiday", "--data", str(tmp_path)]) == 2
