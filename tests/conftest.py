"""What several tests share: images in memory, drawn with numpy, and configs small enough for a CPU."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import object_stores
import pytest
import torch
from safetensors.torch import save_file
from wandb_stub import WandbStub

from wbc_model.choices import CELLS, Init, Network, Trunks
from wbc_model.config import TrialConfig
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.models import TwoBranch
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.weights import TrunkSpec
from wbc_model.preparation.image_set import ImageSet
from wbc_model.synthetic import folders as drawn_data

torch.set_num_threads(1)  # as a trial with one core has; two threads fight where tests run beside something else

SHARED = Path(__file__).parents[2] / "shared"
"""Real data and weights, where a workplace has them."""

COLOURS = np.array([(90, 40, 140), (150, 150, 200), (210, 90, 60), (220, 180, 200), (70, 60, 180)])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What has not begun at a time that CI sets (seconds since 1970) is skipped: a slow machine has no time for all."""
    if time.time() > float(os.environ.get("TESTS_UNTIL", "inf")):
        pytest.skip("no time left: TESTS_UNTIL has passed")


def colour_images(n: int, *, seed: int = 0, side: int = 32) -> ImageSet:
    """Noisy images whose colour tells the class: easy, so that learning shows in a few steps."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % len(CELLS)
    pixels = rng.normal(COLOURS[labels][:, None, None], 25, (n, side, side, 3)).clip(0, 255).astype(np.uint8)
    return ImageSet(pixels, labels, tuple(f"{i}.png" for i in range(n)), CELLS)


@pytest.fixture(scope="session")
def images() -> Callable[..., ImageSet]:
    return colour_images


@pytest.fixture(scope="session")
def tiny() -> TrialConfig:
    """The proposed model in miniature, from random weights."""
    model = TwoBranch(resnet=Init.RANDOM, densenet=Init.RANDOM)
    return TrialConfig(model=model, trunks="tiny", image_size=32, epochs=2, lr=1e-2, batch_size=8)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with LISC, drawn."""
    root = tmp_path_factory.mktemp("drawn") / "data"
    drawn_data.write(root, datasets=[LISC], share=1 / 60, side=40)
    return root


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of weights for tiny trunks, trained on nothing."""
    folder = tmp_path_factory.mktemp("weights")
    for network in (Network.RESNET50, Network.DENSENET121):
        spec = TrunkSpec(network, Trunks.TINY)
        save_file(
            build_trunk(spec, init=Init.RANDOM, seed=9).body.state_dict(), folder / f"{spec.file_stem}.safetensors"
        )
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("no shared folder of real data beside the project")
    return SHARED


@pytest.fixture
def wandb_stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbStub]:
    """A W&B server on loopback, and this process (and what it starts) online with it."""
    import wandb

    wandb.teardown()  # the client reads its variables once
    with WandbStub() as stub:
        for name, value in stub.environment.items():
            monkeypatch.setenv(name, value)
        yield stub
        stub.fault = None  # else the client, which waits for its last answers, would wait for ever
        wandb.teardown()


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """A bucket on an S3 server on loopback."""
    with object_stores.amazon() as url:
        yield url


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients of object stores do not wait before they ask again."""
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _, *result: sleep(0, *result))


@pytest.fixture(scope="session")
def google_bucket() -> Iterator[str]:
    with object_stores.google() as url:
        yield url


@pytest.fixture(scope="session")
def azure_container() -> Iterator[str]:
    with object_stores.azure() as url:
        yield url
