"""Kept models that nobody trained, and pictures for them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wbc_model.config import TrialConfig
from wbc_model.inference.model_file import to_bytes
from wbc_model.inference.model_info import FILE, Calibration, ModelInfo
from wbc_model.networks.build import build
from wbc_model.synthetic.cells import draw_cell

Keep = Callable[..., Path]


@pytest.fixture(scope="session")
def keep(tmp_path_factory: pytest.TempPathFactory, tiny: TrialConfig) -> Keep:
    """Keep the network of a config, with random weights, as a trial does; returns the trial's folder."""

    def keep(config: TrialConfig = tiny, *, temperature: float = 1.0, threshold: float = 0.0, seed: int = 1) -> Path:
        folder = tmp_path_factory.mktemp("trial")
        info = ModelInfo(
            config=config, seed=seed, trial=f"{config.id}-s{seed}", best_epoch=0, validation=0.5,
            calibration=Calibration(temperature=temperature, threshold=threshold), provenance={"data": "f" * 16},
        )  # fmt: skip
        (folder / FILE).write_bytes(to_bytes(build(config, seed=seed, weights=None), info))
        return folder

    return keep


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six drawn cells, of three slides."""
    folder = tmp_path_factory.mktemp("cells")
    rng = np.random.default_rng(0)
    for i, cell in enumerate(("neutrophil", "lymphocyte") * 3):
        drawing = draw_cell(cell, rng, height=120, width=160, fill=0.6)
        Image.fromarray(drawing.pixels).save(folder / f"slide{i // 2}_{i}.png")
    return folder


@pytest.fixture(scope="session")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A field of 960 x 480 with a cell in the middle of each half."""
    rng = np.random.default_rng(1)
    halves = [draw_cell("monocyte", rng, height=480, width=480, fill=0.35).pixels for _ in range(2)]
    file = tmp_path_factory.mktemp("fields") / "field.png"
    Image.fromarray(np.concatenate(halves, axis=1)).save(file)
    return file
