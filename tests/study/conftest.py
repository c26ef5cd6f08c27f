"""A study of a few seconds: drawn cells, tiny networks, weights trained on nothing in particular."""

from pathlib import Path

import pytest
from safetensors.torch import save_file

from search_spaces.paper import TABLES
from search_spaces.rehearsal import REHEARSAL
from search_spaces.table import select
from study.plan import Trial, plan
from study.settings import Settings
from wbc_model import drawn_data
from wbc_model.backbones import build_trunk
from wbc_model.choices import Dataset, Init, Network, Trunks
from wbc_model.weights import TrunkSpec

QUICK = REHEARSAL | {"image_size": 32, "epochs": 3}


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with LISC, drawn."""
    root = tmp_path_factory.mktemp("drawn") / "data"
    drawn_data.write(root, datasets=[Dataset.LISC], share=1 / 60, side=40)
    return root


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for network in (Network.RESNET50, Network.DENSENET121):
        spec = TrunkSpec(network, Trunks.TINY)
        save_file(
            build_trunk(spec, init=Init.RANDOM, seed=9).body.state_dict(), folder / f"{spec.file_stem}.safetensors"
        )
    return folder


@pytest.fixture
def settings(drawn: Path, weights: Path, tmp_path: Path) -> Settings:
    return Settings(data=drawn, weights=weights, storage=str(tmp_path / "runs"), cache=tmp_path / "cache")


@pytest.fixture(scope="session")
def trials() -> list[Trial]:
    """The six models on LISC: Table 11's first block."""
    tables = select(TABLES, numbers=("11",), datasets=("lisc",), overrides=QUICK)
    return plan(tables, overrides=QUICK)
