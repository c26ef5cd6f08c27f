"""Model files give back the same network, and refuse what is none."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save

from wbc_model.choices import Init
from wbc_model.config import TrialConfig
from wbc_model.errors import InputError
from wbc_model.inference.model_file import from_bytes, to_bytes
from wbc_model.inference.model_info import KEY, Calibration, ModelInfo
from wbc_model.models import TwoBranch
from wbc_model.networks.build import build

X = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def info(tiny: TrialConfig) -> ModelInfo:
    return ModelInfo(config=tiny, seed=1, trial="a" * 10, best_epoch=1, validation=0.9,
                     calibration=Calibration(temperature=1.5, threshold=0.4), provenance={"data": "f"})  # fmt: skip


def test_a_model_file_gives_back_the_network_and_its_information(tiny: TrialConfig, info: ModelInfo):
    network = build(tiny, seed=1).eval()
    saved = from_bytes(to_bytes(network, info), where="here")
    assert saved.info == info
    with torch.no_grad():
        assert torch.equal(saved.network(X), network(X))


def test_no_pre_trained_weights_are_needed_to_read_a_model_that_began_from_them(tiny: TrialConfig, info: ModelInfo):
    network = build(tiny, seed=1)
    config = replace(tiny, model=TwoBranch(resnet=Init.IMAGENET, densenet=Init.IMAGENET))
    saved = from_bytes(to_bytes(network, replace(info, config=config)), where="here")
    assert saved.info.config == config


def foreign(held: str | None) -> bytes:
    return save({"x": X}, None if held is None else {KEY: held})


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda whole: whole[: len(whole) // 2], "no whole safetensors file"),
        (lambda whole: whole[:5], "no whole safetensors file"),
        (lambda _: b"", "no whole safetensors file"),
        (lambda _: b"<html>not found</html>", "no whole safetensors file"),
        (lambda whole: b"PK\x03\x04" + whole, "no whole safetensors file"),
        (lambda _: foreign(None), "not of a model of this program"),
        (lambda _: foreign(json.dumps({"format": 99})), "a model file of format 99"),
        (lambda _: foreign(json.dumps({"format": 1})), "config"),
        (lambda _: foreign("nonsense"), "damaged"),
        (lambda _: foreign(json.dumps([1])), "damaged"),
    ],
)
def test_a_damaged_or_foreign_file_is_one_clear_error(tiny: TrialConfig, info: ModelInfo, spoil, told: str):
    whole = to_bytes(build(tiny, seed=1), info)
    with pytest.raises(InputError, match=f"^here: .*{told}"):
        from_bytes(spoil(whole), where="here")


def test_weights_of_another_network_are_refused(tiny: TrialConfig, info: ModelInfo):
    other = build(replace(tiny, model=TwoBranch(resnet=Init.RANDOM, densenet=None)), seed=1)
    with pytest.raises(InputError, match="here: its weights do not fit"):
        from_bytes(to_bytes(other, info), where="here")
