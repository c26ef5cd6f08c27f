from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from wbc_model.choices import Attention, AttentionAt, Init, Network, Normalisation, Trunks
from wbc_model.config import TrialConfig
from wbc_model.models import Baseline, TwoBranch
from wbc_model.networks.baselines import BaselineNet
from wbc_model.networks.build import build
from wbc_model.networks.trunk import Trunk
from wbc_model.preparation.image_set import ImageSet
from wbc_model.training.gradcam import EACH, TILE, heat_maps, overlay, sheet
from wbc_model.training.predict import predict

RANDOM = TwoBranch(resnet=Init.RANDOM, densenet=Init.RANDOM)


def tiny(model: TwoBranch | Baseline) -> TrialConfig:
    return TrialConfig(model=model, trunks=Trunks.TINY, image_size=64)


class Blocks(nn.Module):
    """Channel means of each 4 x 4 block: a trunk whose map a test can work out by hand."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(x, 4)


def channel_is_class(weight: torch.Tensor) -> BaselineNet:
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3, bias=False))
    head[2].weight.data = weight
    return BaselineNet(Trunk(Blocks(), channels=3), head, normalisation=Normalisation.NONE)


@pytest.mark.parametrize(("top", "left"), [(0, 0), (0, 32), (32, 0), (32, 32)])
def test_the_quadrant_that_carries_the_class_is_found(top: int, left: int):
    x = torch.zeros(1, 3, 64, 64)
    x[0, 1] = 0.1 * torch.rand(64, 64)
    x[0, 0, top : top + 32, left : left + 32] = 1
    heat = heat_maps(channel_is_class(torch.eye(3)), x, torch.tensor([0]))[0]
    assert heat[top : top + 32, left : left + 32].sum() / heat.sum() >= 0.8


def test_the_map_lies_where_the_image_does():
    x = torch.zeros(1, 3, 64, 64)
    x[0, 2, 20:24, 48:52] = 1
    heat = heat_maps(channel_is_class(torch.eye(3)), x, torch.tensor([2]))[0]
    row, column = divmod(int(heat.argmax()), 64)
    assert 20 <= row < 24
    assert 48 <= column < 52
    assert heat.max() == 1


def test_what_speaks_against_a_class_is_left_out():
    """Only negative weights: the map is zero throughout, and no division by its maximum spoils it."""
    heat = heat_maps(channel_is_class(-torch.eye(3)), torch.rand(2, 3, 64, 64), torch.tensor([0, 1]))
    assert heat.abs().max() == 0


def test_it_explains_the_attention_modules_output():
    """Of models alike but for their attention, with the same weights elsewhere, the maps differ."""
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))  # of some images, all maps are zero
    classes = torch.tensor([0, 1])
    scam, none = (build(tiny(TwoBranch(resnet="random", densenet="random", attention=a)), seed=0) for a in
                  (Attention.SCAM, Attention.NONE))  # fmt: skip
    before = heat_maps(scam, x, classes)
    assert not torch.allclose(before, heat_maps(none, x, classes))
    with torch.no_grad():
        for parameter in scam.attention.parameters():
            parameter.mul_(5)
    assert not torch.allclose(before, heat_maps(scam, x, classes))


def test_the_target_is_a_logit_not_a_probability():
    """A sure model's probabilities have no gradient left; its logits do."""
    model = channel_is_class(1e4 * torch.eye(3))
    x = torch.zeros(1, 3, 64, 64)
    x[0, 0, :32] = 1
    assert heat_maps(model, x, torch.tensor([0])).max() == 1


@pytest.mark.parametrize(
    "model",
    [RANDOM, TwoBranch(resnet=None, densenet=Init.RANDOM),
     TwoBranch(resnet=Init.RANDOM, densenet=Init.RANDOM, attention_at=AttentionAt.EACH_BRANCH),
     *[Baseline(network, Init.RANDOM) for network in Network]],
)  # fmt: skip
def test_every_model_of_the_study_and_leaves_it_as_it_was(model: TwoBranch | Baseline):
    network = build(tiny(model), seed=0).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    heat = heat_maps(network, torch.rand(3, 3, 64, 64), torch.tensor([0, 1, 2]))
    assert heat.shape == (3, 64, 64)
    assert 0 <= heat.min() <= heat.max() <= 1
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_overlay_is_the_image_tinted():
    pixels = np.full((8, 8, 3), 200, np.uint8)
    heat = np.zeros((8, 8), np.float32)
    heat[2, 3] = 1
    tinted = overlay(pixels, heat).astype(int)
    assert tinted[2, 3, 0] > tinted[2, 3, 2], "hot is red"
    assert tinted[0, 0, 2] > tinted[0, 0, 0], "cold is blue"


def test_a_sheet_has_a_row_for_each_class(images: Callable[..., ImageSet]):
    model = build(tiny(RANDOM), seed=0)
    cells = images(40, side=64)
    picture = sheet(model, cells, predict(model, cells))
    assert picture.dtype == np.uint8
    assert picture.shape == (5 * (TILE + 16), 2 * 2 * EACH * TILE, 3)
