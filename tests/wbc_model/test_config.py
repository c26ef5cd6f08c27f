from dataclasses import replace

import pytest

from wbc_model.choices import Init, Network
from wbc_model.config import KNOBS, TrialConfig
from wbc_model.errors import InputError
from wbc_model.models import Baseline, TwoBranch

VARIED = [
    TrialConfig(),
    TrialConfig(mixup_alpha=0.4),
    TrialConfig(dataset="bccd", model=Baseline(Network.JIANG, Init.RANDOM)),
    TrialConfig(model=TwoBranch(resnet=None, attention="se")),
    TrialConfig(model=Baseline(Network.RESNET50)),
    TrialConfig(model=Baseline("timm:resnet50.tv_in1k")),
    TrialConfig(model=Baseline(f"timm:resnet50.tv_in1k@{'0' * 40}")),
]


def test_defaults_are_table_3_and_the_paper():
    config = TrialConfig()
    assert (config.dropout, config.lr, config.batch_size, config.epochs) == (0.5, 1e-5, 16, 100)
    assert (config.mixup_alpha, config.image_size, config.dataset.name) == (0.2, 224, "ldwbc")
    assert config.model == TwoBranch(resnet="imagenet", densenet="imagenet", attention="scam")


def test_the_proposed_model_differs_in_nothing():
    assert TrialConfig().delta() == {}


def test_equal_ids_mean_equal_configs():
    assert len({config.id for config in VARIED}) == len(VARIED)
    assert replace(TrialConfig(), mixup_alpha=0.4).id == TrialConfig(mixup_alpha=0.4).id


def test_delta_names_what_differs_and_nothing_else():
    assert TrialConfig(mixup_alpha=0.4).delta() == {"mixup_alpha": 0.4}
    assert TrialConfig(model=TwoBranch(resnet=None)).delta() == {"model": {"resnet": None}}
    assert TrialConfig(model=Baseline(Network.RESNET50)).delta() == {"model": {"network": "resnet50"}}


@pytest.mark.parametrize("config", VARIED)
def test_json_round_trip(config: TrialConfig):
    assert TrialConfig.from_json(config.to_json()) == config


def test_only_the_difference_need_be_given():
    assert TrialConfig.from_json({"model": {"attention": "se"}}) == TrialConfig(model=TwoBranch(attention="se"))


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"epochs": 0}, "greater than or equal to 1"),
        ({"epochs": 2.5}, "valid integer"),
        ({"epochs": True}, "valid integer"),
        ({"lr": float("inf")}, "finite number"),
        ({"mixup_alpha": -0.1}, "greater than or equal to 0"),
        ({"dropout": 1.0}, "less than 1"),
        ({"split": "source_grouped"}, "source_grouped needs to know .* ldwbc cannot tell"),
        ({"dataset": "bccd", "split": "source_grouped", "test_on": "all"}, "ldwbc, lisc cannot tell"),
        ({"dataset": "cifar"}, "no dataset cifar: there are ldwbc, lisc, bccd, raabin, and your own"),
        ({"epochz": 3}, "Unexpected keyword"),
        ({"image_size": 50}, "50 is no multiple of 32"),
        ({"model": {"resnet": None, "densenet": None}}, "at least one branch"),
        ({"model": {"network": "jiang"}}, "no ImageNet weights"),
        ({"model": {"network": "resnet51"}}, "no network 'resnet51': there are resnet50, .* timm:NAME.TAG"),
        ({"model": {"network": "timm:resnet18.a1_in1k@main"}}, "no network 'timm:resnet18.a1_in1k@main'"),
        ({"model": {"network": "inception_v3"}, "image_size": 64}, "at least 75 pixels"),
    ],
)
def test_the_impossible_is_refused_with_a_reason(knobs: dict, message: str):
    with pytest.raises(InputError, match=message):
        TrialConfig.from_json(knobs)


def test_a_model_sees_other_test_sets_only_where_it_is_asked_to():
    everywhere = TrialConfig(dataset="bccd", test_on="all")
    assert [config.dataset.name for config in everywhere.elsewhere] == ["ldwbc", "lisc", "raabin"]
    assert everywhere.id != TrialConfig(dataset="bccd").id
    assert TrialConfig().elsewhere == ()


def test_only_normalised_stains_need_images_of_their_own():
    config = TrialConfig(stain="macenko", test_on="all")
    assert [each.data.macenko for each in config.everywhere] == [True] * 4
    assert TrialConfig(stain="jitter").data == TrialConfig().data
    assert TrialConfig().data == TrialConfig.from_json({}).data != config.data


def test_override_reaches_nested_knobs_where_the_model_has_them():
    changed = TrialConfig().override({"epochs": 2, "model.attention": "se", "model.init": "random"})
    assert changed == TrialConfig(epochs=2, model=TwoBranch(attention="se"))


@pytest.mark.parametrize("knob", ["epochz", "model", "model.network", "dataset"])
def test_override_refuses_what_rows_choose_and_what_does_not_exist(knob: str):
    with pytest.raises(InputError, match=f"no knob {knob}: there are mixup_alpha, "):
        TrialConfig().override({knob: 1})


def test_a_models_knob_without_its_prefix_is_told_its_name():
    with pytest.raises(InputError, match=r"no knob attention \(model.attention\?\): there are"):
        TrialConfig().override({"attention": "se"})


def test_knobs_are_those_of_the_configs():
    assert {"epochs", "model.attention", "model.init"} < set(KNOBS)
