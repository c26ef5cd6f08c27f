"""A kept model as one ONNX file, and how far what it says is from what torch says. Loads onnx and onnxruntime."""

import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wbc_model.inference.model_file import SavedModel
from wbc_model.inference.model_info import KEY, ModelInfo, info_json
from wbc_model.training.predict import to_input

OPSET = 17
OUTPUTS = ("logits", "probabilities")
INPUT = "images"
SOME = 16
"""Images compared at a time."""


class _Calibrated(nn.Module):
    """Images (N, 3, S, S) in [0, 1] to logits and calibrated probabilities, each (N, classes)."""

    def __init__(self, model: SavedModel) -> None:
        super().__init__()
        self.network, self.temperature = model.network, model.info.calibration.temperature

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(images)
        return logits, (logits / self.temperature).softmax(1)


def to_onnx(model: SavedModel) -> bytes:
    """The content of the file: input `images`, float32 (N, 3, S, S), RGB in [0, 1], of any N; outputs `OUTPUTS`.

    The normalisation is part of the graph, except that of stains. Written by torch's tracing exporter, which needs no
    package beyond onnx and takes every network of this project; its successor needs onnxscript as well.
    """
    side = model.info.config.image_size
    example = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    names = (INPUT, *OUTPUTS)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its successor, and of sizes that become constants: they are
        file = Path(folder) / "model.onnx"
        torch.onnx.export(
            _Calibrated(model).eval(), (example,), file, input_names=[INPUT], output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "n"} for name in names}, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
        graph = onnx.load(file)
    onnx.helper.set_model_props(graph, _metadata(model.info))
    onnx.checker.check_model(graph)
    return graph.SerializeToString()


def _metadata(info: ModelInfo) -> dict[str, str]:
    """What a program needs that runs the file, each value as text; and all that is known of the model, as JSON."""
    config = info.config
    return {
        "classes": json.dumps(config.dataset.classes),
        "image_size": str(config.image_size),
        "input": "RGB, float32 in [0, 1], (N, 3, image_size, image_size); normalisation is inside, but not of stains",
        "crop": config.dataset.crop,
        "stain": config.stain,
        "temperature": str(info.calibration.temperature),
        "threshold": str(info.calibration.threshold),
        "trial": info.trial,
        "rehearsal": str(config.rehearsal),
        KEY: info_json(info),
    }


def run_onnx(content: bytes, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits and calibrated probabilities (N, classes) of cells (N, S, S, 3), by onnxruntime on the CPU."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    parts = [crops[start : start + SOME] for start in range(0, len(crops), SOME)]
    found = [session.run(list(OUTPUTS), {INPUT: to_input(part, "cpu").numpy()}) for part in parts]
    logits, probabilities = (np.concatenate(output) for output in zip(*found, strict=True))
    return logits, probabilities


@torch.no_grad()
def largest_differences(content: bytes, model: SavedModel, crops: NDArray[np.uint8]) -> dict[str, float]:
    """For each output, the largest difference between the file, run by onnxruntime, and torch, for any class and cell.

    One cell is also compared alone, so that a number of images that became a constant shows.
    """
    worst = dict.fromkeys(OUTPUTS, 0.0)
    for some in (crops, crops[:1]):
        x = torch.cat([to_input(some[i : i + SOME], "cpu") for i in range(0, len(some), SOME)])
        by_torch = [torch.cat(parts) for parts in zip(*map(_Calibrated(model).eval(), x.split(SOME)), strict=True)]
        for name, ours, theirs in zip(OUTPUTS, by_torch, run_onnx(content, some), strict=True):
            worst[name] = float(np.maximum(worst[name], np.abs(ours.numpy() - theirs).max()))  # keeps NaN
    return worst
