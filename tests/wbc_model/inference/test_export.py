"""ONNX files say what the torch model says, hold what a program needs to run them, and are not written otherwise."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from upath import UPath

from wbc_model.choices import Attention, AttentionAt, Cut, Fuse, Network, ParallelBy, Trunks
from wbc_model.config import TrialConfig
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.find import find
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.export import LIMIT, main
from wbc_model.inference import load, onnx_file, predict
from wbc_model.inference.model_file import to_bytes
from wbc_model.inference.model_info import FILE
from wbc_model.inference.onnx_file import largest_differences, run_onnx, to_onnx
from wbc_model.inference.pictures import Picture, read_picture
from wbc_model.models import Baseline, TwoBranch
from wbc_model.training.predict import to_input

Keep = Callable[..., Path]
RANDOM = {"resnet": "random", "densenet": "random"}
TIMM = ("convnext_tiny.fb_in1k", "swin_tiny_patch4_window7_224.ms_in1k", "vit_tiny_patch16_224.augreg_in21k",
        "efficientnet_b0.ra_in1k", "mobilenetv3_large_100.ra_in1k")  # fmt: skip
MODELS = {
    "two branches": TwoBranch(**RANDOM),
    "eca": TwoBranch(**RANDOM, attention=Attention.ECA),
    "parallel": TwoBranch(**RANDOM, attention=Attention.PARALLEL, parallel_by=ParallelBy.LOGIT_SUM),
    "each branch, concatenated, cut": TwoBranch(
        **RANDOM, fuse=Fuse.CONCAT, cut=Cut.BLOCK3, attention_at=AttentionAt.EACH_BRANCH
    ),  # fmt: skip
    **{network.value: Baseline(network, "random") for network in Network},
    **{name: Baseline(f"timm:{name}", "random") for name in TIMM},
}


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_network_says_the_same_in_onnx(model: TwoBranch | Baseline, keep: Keep, crops: np.ndarray):
    kept = load(keep(TrialConfig(model=model, trunks=Trunks.TINY, image_size=64), temperature=1.7))
    differences = largest_differences(to_onnx(kept), kept, crops)
    assert max(differences.values()) < LIMIT / 10


def test_the_command_writes_a_file_that_says_what_predict_says(
    keep: Keep, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    trial, file = keep(temperature=1.7, threshold=0.3), tmp_path / "model.onnx"
    assert main([str(trial), "--onnx", str(file), "--check-on", str(cells)]) == 0
    assert "largest difference from torch, of 6 cells: " in capsys.readouterr().out
    calls, model = predict(load(trial), cells).calls, load(trial)
    pixels = [np.asarray(Image.open(call.file).resize((32, 32), Image.Resampling.BILINEAR)) for call in calls]
    logits, probabilities = run_onnx(file.read_bytes(), np.stack(pixels))
    np.testing.assert_allclose(probabilities, [call.probabilities for call in calls], atol=1e-6)
    props = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert json.loads(props["classes"]) == list(model.info.config.dataset.classes)
    assert (props["image_size"], props["temperature"], props["threshold"]) == ("32", "1.7", "0.3")
    softmax = torch.from_numpy(logits).div(float(props["temperature"])).softmax(1)
    np.testing.assert_allclose(softmax, probabilities, atol=1e-6)
    assert props["rehearsal"] == "True"


def test_the_file_says_that_stains_are_to_be_normalised(keep: Keep, tiny: TrialConfig, cells: Path, tmp_path: Path):
    file = tmp_path / "model.onnx"
    assert main([str(keep(replace(tiny, stain="macenko"))), "--onnx", str(file), "--check-on", str(cells)]) == 0
    props = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert props["stain"] == "macenko"
    assert "but not of stains" in props["input"]


def test_normalisation_is_inside(keep: Keep, tiny: TrialConfig, crops: np.ndarray):
    small = crops[:, ::2, ::2]
    plain, imagenet = (
        run_onnx(to_onnx(load(keep(replace(tiny, normalisation=n)))), small)[0] for n in ("none", "imagenet")
    )
    assert np.abs(plain - imagenet).max() > 1e-3


@pytest.mark.parametrize("wrong", [0.1, np.nan])
def test_a_file_that_says_something_else_is_not_written(
    wrong: float, keep: Keep, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """The fault is put into the exported weights, for lack of an exporter that makes one."""
    right = onnx_file.to_onnx

    def spoilt(model: object) -> bytes:
        graph = onnx.load_from_string(right(model))
        last = next(tensor for tensor in graph.graph.initializer if tensor.dims == [5])  # the bias of five classes
        last.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(last) + np.float32(wrong), last.name))
        return graph.SerializeToString()

    monkeypatch.setattr(onnx_file, "to_onnx", spoilt)
    assert main([str(keep()), "--onnx", str(tmp_path / "model.onnx")]) == 1
    assert "is not written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_status_2(keep: Keep, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    onnx_to = ["--onnx", str(tmp_path / "model.onnx")]
    assert main([str(keep()), *onnx_to, "--check-on", str(tmp_path / "bad.png")]) == 2
    assert "bad.png: cannot be decoded" in capsys.readouterr().err
    assert main([str(tmp_path), *onnx_to]) == 2
    assert not (tmp_path / "model.onnx").exists()


def test_missing_packages_are_named(keep: Keep, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wbc_model.inference.onnx_file", None)
    assert main([str(keep()), "--onnx", str(tmp_path / "model.onnx")]) == 2
    assert "pip install 'wbc-study[export]'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("source", ["drawn", "shared"])
def test_a_file_a_url_and_onnx_call_100_images_the_same(
    source: str, keep: Keep, tiny: TrialConfig, bucket: str, tmp_path: Path, request: pytest.FixtureRequest
):
    """Drawn cells cut out by their masks, or real ones of BCCD cut out by segmentation."""
    dataset = {"drawn": LISC, "shared": BCCD}[source]
    root: Path = request.getfixturevalue(source)
    files = [file.path for file in find(dataset, root if source == "drawn" else root / "data" / "bccd")]
    files = files[:: len(files) // 110]
    trial, file = keep(replace(tiny, dataset=dataset, image_size=64)), tmp_path / "model.onnx"
    model = load(trial)
    shown = [read_picture(path, config=model.info.config, photographs=False, margin=0) for path in files]
    crops = np.concatenate([picture.crops for picture in shown if isinstance(picture, Picture)])
    with torch.no_grad():  # otherwise what nobody trained calls all alike
        model.network.head[-1].bias -= model.network(to_input(crops, "cpu")).mean(0)
    (trial / FILE).write_bytes(to_bytes(model.network, model.info))
    url = f"{bucket}/{tmp_path.name}"
    (UPath(url) / FILE).write_bytes((trial / FILE).read_bytes())
    assert main([str(trial), "--onnx", str(file)]) == 0

    here, there = predict(load(trial / FILE), files), predict(load(url), files)
    assert here.calls == there.calls
    assert len(here.calls) >= 100
    assert len({call.cell for call in here.calls}) > 1
    _, probabilities = run_onnx(file.read_bytes(), crops)
    np.testing.assert_allclose(probabilities, [call.probabilities for call in here.calls], atol=1e-5)
    called = [dataset.classes[i] for i in probabilities.argmax(1)]
    assert called == [call.cell for call in here.calls]
