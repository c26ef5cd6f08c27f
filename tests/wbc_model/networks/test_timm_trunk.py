"""Any model of timm: its name, its weights, its statistics, its map, and its miniature. Nothing is downloaded."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from search_spaces.extensions import BACKBONES
from wbc_model.choices import Init, Normalisation, Trunks
from wbc_model.config import TrialConfig
from wbc_model.models import Baseline
from wbc_model.networks.baselines import BaselineNet
from wbc_model.networks.build import build
from wbc_model.networks.weights import TrunkSpec, WeightsError, find_weights
from wbc_model.training.gradcam import heat_maps

NEWER = [
    config.model.network
    for config in BACKBONES.values()
    if isinstance(config.model, Baseline) and config.model.network.startswith("timm:")
]
CLASSES = {
    "efficientnet_b0": "EfficientNet", "mobilenetv3_large_100": "MobileNetV3", "convnext_tiny": "ConvNeXt",
    "swin_tiny_patch4_window7_224": "SwinTransformer", "vit_small_patch14_dinov2": "VisionTransformer",
}  # fmt: skip
TEST_VIT = "timm:test_vit.r160_in1k"
"""0.4 million parameters, published for images of 160 pixels."""


def config(network: str, *, init: Init = Init.RANDOM, trunks: Trunks = Trunks.FULL, size: int = 64) -> TrialConfig:
    return TrialConfig(model=Baseline(network, init), trunks=trunks, image_size=size)


def built(network: str, **knobs: object) -> BaselineNet:
    model = build(config(network, **knobs), seed=0)
    assert isinstance(model, BaselineNet)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as timm publishes them, classifier included, from random numbers."""
    folder = tmp_path_factory.mktemp("timm")
    for name in ("resnet18.a1_in1k", TEST_VIT.removeprefix("timm:")):
        save_file(timm.create_model(name).state_dict(), folder / f"{name}.safetensors")
    return folder


def published(name: str, folder: Path) -> torch.nn.Module:
    """The whole model of a file, as timm loads it."""
    overlay = {"file": str(folder / f"{name}.safetensors")}
    return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)


@pytest.mark.parametrize("network", NEWER)
def test_a_rehearsal_has_a_small_model_of_the_same_family(network: str):
    model = built(network, trunks=Trunks.TINY)
    name = network.removeprefix("timm:").partition(".")[0]
    assert type(model.trunk.body).__name__ == CLASSES[name] == type(timm.create_model(name)).__name__
    assert sum(p.numel() for p in model.parameters()) < 0.6e6
    assert model(torch.rand(2, 3, 64, 64)).shape == (2, 5)


def test_a_family_without_a_small_model_is_rehearsed_by_a_residual_network():
    assert type(built("timm:xcit_nano_12_p8_224.fb_in1k", trunks=Trunks.TINY).trunk.body).__name__ == "ResNet"


@pytest.mark.slow
@pytest.mark.parametrize("network", NEWER)
def test_every_newer_network_runs_at_the_papers_image_size(network: str):
    model = built(network, size=224).eval()
    assert model(torch.rand(1, 3, 224, 224)).shape == (1, 5)


def test_a_model_is_timms_own_but_for_its_classifier(folder: Path):
    model = build(config("timm:resnet18.a1_in1k", init=Init.IMAGENET), seed=0, weights=folder).eval()
    whole = published("resnet18.a1_in1k", folder).eval()
    x = torch.rand(2, 3, 64, 64)
    normalised = model.normalise(x)
    torch.testing.assert_close(model.trunk(normalised), whole.forward_features(normalised))
    pooled = whole.forward_head(whole.forward_features(normalised), pre_logits=True)
    torch.testing.assert_close(model(x), model.head(pooled))


def test_position_embeddings_are_adapted_to_the_image_size(folder: Path):
    model = build(config(TEST_VIT, init=Init.IMAGENET, size=96), seed=0, weights=folder)
    own, theirs = model.trunk.body.state_dict(), published("test_vit.r160_in1k", folder).state_dict()
    assert torch.equal(own["patch_embed.proj.weight"], theirs["patch_embed.proj.weight"])
    assert own["pos_embed"].shape[1] == 37  # a class token and 6 x 6 patches
    assert theirs["pos_embed"].shape[1] == 101
    assert model(torch.rand(2, 3, 96, 96)).shape == (2, 5)


def test_a_file_that_lacks_a_tensor_is_refused(tmp_path: Path):
    state = timm.create_model("resnet18").state_dict()
    del state["layer4.1.bn2.weight"]
    save_file(state, tmp_path / "resnet18.a1_in1k.safetensors")
    with pytest.raises(WeightsError, match=r"resnet18.a1_in1k.safetensors: .*layer4.1.bn2.weight"):
        build(config("timm:resnet18.a1_in1k", init=Init.IMAGENET), seed=0, weights=tmp_path)


def test_one_tag_that_begins_like_another_is_another_file(tmp_path: Path):
    for tag in ("fb_in22k", "fb_in22k_ft_in1k"):
        (tmp_path / f"convnext_tiny.{tag}.safetensors").touch()
    for tag in ("fb_in22k", "fb_in22k_ft_in1k"):
        spec = TrunkSpec(f"timm:convnext_tiny.{tag}")
        assert find_weights(spec, tmp_path).path.name == f"convnext_tiny.{tag}.safetensors"
    assert find_weights(spec, tmp_path).origin == "file convnext_tiny.fb_in22k_ft_in1k.safetensors"


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("timm:resnet18", r"no model 'resnet18': did you mean resnet18.a1_in1k, resnet18.a2_in1k"),
        ("timm:resnet18.a9_in1k", r"no model 'resnet18.a9_in1k': did you mean resnet18.a1_in1k"),
        ("timm:convnxt_tiny.fb_in1k", r"no model 'convnxt_tiny.fb_in1k': did you mean convnext_tiny.fb_in1k"),
        ("timm:qqqqqqqq", r"no model 'qqqqqqqq': timm.list_pretrained\(\) lists all"),
        ("timm:crossvit_tiny_240.in1k", "crossvit_tiny_240.in1k cannot be built for images of 200 pixels: "),
    ],
)
def test_what_timm_cannot_build_is_refused_with_the_nearest_names(network: str, message: str):
    with pytest.raises(WeightsError, match=message):
        built(network, size=200)


def test_a_model_without_published_weights_has_no_tag_and_is_trained_from_scratch():
    assert built("timm:nf_resnet26").trunk.channels == 2048
    with pytest.raises(WeightsError, match="no repository on the hub with weights of nf_resnet26; use init=random"):
        build(config("timm:nf_resnet26", init=Init.IMAGENET), seed=0)


def test_pixels_are_normalised_as_the_weights_expect_unless_told_otherwise():
    half = "timm:vit_tiny_patch16_224.augreg_in21k"
    assert built(half, trunks=Trunks.TINY).normalise.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    imagenet = built("timm:resnet18.a1_in1k").normalise.mean.flatten()
    torch.testing.assert_close(imagenet, torch.tensor([0.485, 0.456, 0.406]))
    none = TrialConfig(model=Baseline(half, Init.RANDOM), normalisation=Normalisation.NONE, trunks=Trunks.TINY)
    assert build(none, seed=0).normalise.mean.abs().max() == 0


@pytest.mark.parametrize("network", NEWER[:-1])
def test_a_network_with_a_map_is_explained_by_it(network: str):
    model = built(network, trunks=Trunks.TINY).eval()
    x = torch.rand(2, 3, 64, 64)
    features = model.features(x)
    assert features.shape[2:] == (2, 2)
    torch.testing.assert_close(model.classify(features), model(x))
    heat = heat_maps(model, x, torch.tensor([0, 1]))
    assert heat.shape == (2, 64, 64)


def test_a_transformer_without_a_map_is_not_explained_and_left_as_it_was():
    model = built(TEST_VIT).train()
    with pytest.raises(ValueError, match=r"Grad-CAM needs a map \(B, C, h, w\) before pooling"):
        heat_maps(model, torch.rand(1, 3, 64, 64), torch.tensor([0]))
    assert model.training


def test_random_weights_are_those_of_the_seed():
    first, second = (built(TEST_VIT).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = build(config(TEST_VIT), seed=1).state_dict()
    assert not torch.equal(first["trunk.body.patch_embed.proj.weight"], other["trunk.body.patch_embed.proj.weight"])
