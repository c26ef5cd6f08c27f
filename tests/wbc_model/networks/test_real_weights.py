"""Real ImageNet weights, where a workplace has them: are the files read right, and the pixels normalised right?"""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from skimage import data

from wbc_model.choices import Init, Network, Normalisation
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.normalise import Normalise
from wbc_model.networks.weights import TrunkSpec, Weights, find_weights, load
from wbc_model.training.predict import to_input

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


def test_the_origin_of_a_file_is_told_by_its_hash(shared: Path, monkeypatch: pytest.MonkeyPatch):
    spec, folder = TrunkSpec(Network.DENSENET121), shared / "data" / "weights"
    weights = find_weights(spec, folder)
    assert weights.origin == "file densenet121.safetensors, not torchvision's DenseNet121_Weights.IMAGENET1K_V1"
    monkeypatch.setattr(Weights, "sha256", "a639ec97" + 56 * "0")
    assert find_weights(spec, folder).origin.startswith("torchvision DenseNet121_Weights.IMAGENET1K_V1, file densenet")


@pytest.mark.parametrize("network", [Network.RESNET50, Network.DENSENET121, Network.SHARMA])
def test_a_trunk_holds_the_files_first_convolution(network: Network, shared: Path):
    folder = shared / "data" / "weights"
    trunk = build_trunk(TrunkSpec(network), init=Init.IMAGENET, seed=0, weights=folder)
    whole = timm.create_model("resnet50" if network is Network.RESNET50 else "densenet121")
    load(whole, find_weights(TrunkSpec(network), folder))
    assert torch.equal(next(trunk.parameters()), next(whole.parameters()))
