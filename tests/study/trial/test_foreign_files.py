"""Files that somebody else may have written: what they hold is never run."""

import ast
import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from study.storage import Storage
from study.trial.checkpoints import Checkpoint
from wbc_model.choices import Init, Network, Trunks
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.inference import model_file
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.weights import TrunkSpec
from wbc_model.preparation.cache import prepare
from wbc_model.scoring.predictions import Predictions

pytestmark = pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
ROOT = Path(__file__).parents[3]
UNPICKLERS = {"pickle", "dill", "cloudpickle", "marshal", "shelve"}


class Trap:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable, tuple]:
        return Path.touch, (self.mark,)


def torch_file(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def numpy_file(save: Callable, content: object) -> bytes:
    array, file = np.empty(1, object), io.BytesIO()
    array[0] = content
    save(file, array)
    return file.getvalue()


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trap:
    """It springs where nothing forbids it, though torch is told that it may load anything."""
    trap = Trap(tmp_path / "mark")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    pickle.loads(pickle.dumps(trap))
    trap.mark.unlink()
    return trap


@pytest.mark.parametrize("dump", [torch_file, pickle.dumps], ids=["zip", "pickle"])
@pytest.mark.parametrize("suffix", ["pth", "pt", "safetensors"])
def test_weights(dump: Callable[[object], bytes], suffix: str, trap: Trap, tmp_path: Path):
    spec = TrunkSpec(Network.RESNET50, Trunks.TINY)
    (tmp_path / f"{spec.file_stem}.{suffix}").write_bytes(dump({"conv1.weight": trap}))
    with pytest.raises(Exception):  # noqa: B017, PT011 - what it is called is told elsewhere
        build_trunk(spec, init=Init.IMAGENET, seed=0, weights=tmp_path)
    assert not trap.mark.exists()


def test_a_checkpoint(trap: Trap, tmp_path: Path):
    files = Storage(str(tmp_path)).trial("t")
    files.write("checkpoint.pt", torch_file({"inputs": {}, "state": trap}))
    with Checkpoint(files, {}, device="cpu") as checkpoint, pytest.raises(Exception):  # noqa: B017, PT011
        checkpoint.read()
    assert not trap.mark.exists()


def test_predictions(trap: Trap):
    content = numpy_file(lambda file, array: np.savez(file, ids=array, truth=array, probabilities=array), trap)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Predictions.from_npz(content, classes=("a", "b"))
    assert not trap.mark.exists()


def test_a_model(trap: Trap):
    for content in (torch_file(trap), pickle.dumps(trap)):
        with pytest.raises(Exception):  # noqa: B017, PT011
            model_file.from_bytes(content, where="model.safetensors")
    assert not trap.mark.exists()


def test_a_cache(trap: Trap, tiny, drawn: Path, tmp_path: Path):
    spec = replace(tiny, dataset=LISC, images="drawn", augmentation="none").data
    folder = prepare(spec, data=drawn, cache=tmp_path, workers=1).folder
    (folder / "train.npy").write_bytes(numpy_file(np.save, trap))
    with pytest.raises(Exception):  # noqa: B017, PT011
        prepare(spec, data=drawn, cache=tmp_path)
    assert not trap.mark.exists()


def test_nothing_in_the_sources_loads_a_pickle():
    """Each call of `torch.load` and `np.load` says so itself: variables of the user's shell change the default."""
    wanted = {"torch.load": {"weights_only": "True"}, "np.load": {"allow_pickle": "False"}}
    packages = ("wbc_model", "search_spaces", "study", "analysis")
    for file in (file for package in packages for file in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not {name.name for name in node.names} & UNPICKLERS, (file, node.lineno)
            if isinstance(node, ast.ImportFrom) and node.module in UNPICKLERS:
                assert [name.name for name in node.names] == ["UnpicklingError"], (file, node.lineno)
            if isinstance(node, ast.Call) and (call := ast.unparse(node.func)) in wanted:
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert wanted[call].items() <= given.items(), (file, node.lineno)
