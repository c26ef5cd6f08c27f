"""Real ImageNet weights, where a workplace has them: are the files read right, and the pixels normalised right?"""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from skimage import data

from wbc_model.backbones import TrunkSpec, build_trunk, find_weights, load
from wbc_model.baselines import Normalise
from wbc_model.choices import Init, Network, Normalisation
from wbc_model.evaluate import to_input

EGYPTIAN_CAT, ESPRESSO = 285, 967
pytestmark = pytest.mark.slow


def centre(picture: np.ndarray) -> torch.Tensor:
    side = min(picture.shape[:2])
    top, left = ((n - side) // 2 for n in picture.shape[:2])
    square = Image.fromarray(picture[top : top + side, left : left + side]).resize((224, 224))
    return to_input(np.asarray(square)[None], "cpu")


@pytest.mark.parametrize("network", [Network.RESNET50, Network.DENSENET121])
@pytest.mark.parametrize(("picture", "expected"), [("chelsea", EGYPTIAN_CAT), ("coffee", ESPRESSO)])
def test_a_whole_backbone_knows_a_cat_and_an_espresso(network: Network, picture: str, expected: int, shared: Path):
    model = timm.create_model(network.value).eval()
    load(model, find_weights(TrunkSpec(network), shared / "data" / "weights"))
    x = Normalise(Normalisation.IMAGENET)(centre(getattr(data, picture)()))
    with torch.no_grad():
        assert int(model(x).argmax()) == expected


@pytest.mark.parametrize("network", [Network.RESNET50, Network.DENSENET121, Network.SHARMA])
def test_a_trunk_holds_the_files_first_convolution(network: Network, shared: Path):
    folder = shared / "data" / "weights"
    trunk = build_trunk(TrunkSpec(network), init=Init.IMAGENET, seed=0, weights=folder)
    whole = timm.create_model("resnet50" if network is Network.RESNET50 else "densenet121")
    load(whole, find_weights(TrunkSpec(network), folder))
    assert torch.equal(next(trunk.parameters()), next(whole.parameters()))
