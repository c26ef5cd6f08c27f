"""`fit` computes what a plain loop does: fp32, eager, one batch after the other in the usual memory layout."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from wbc_model.choices import Init, MixupPer, Network, Precision, Trunks
from wbc_model.config import TrialConfig
from wbc_model.models import Baseline
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.build import build
from wbc_model.networks.weights import TrunkSpec
from wbc_model.preparation.image_set import ImageSet
from wbc_model.seeding import generator, torch_seeded
from wbc_model.synthetic import pretrain
from wbc_model.training.mixup import draw
from wbc_model.training.predict import predict
from wbc_model.training.train import batches, fit

Images = Callable[..., ImageSet]


def plain(train: ImageSet, validation: ImageSet, config: TrialConfig) -> tuple[list[float], np.ndarray]:
    """Losses of the epochs, and the probabilities of the validation images after the last."""
    model, losses = build(config, seed=0), []
    optimizer = torch.optim.RAdam(model.parameters(), lr=config.lr)
    for epoch in range(config.epochs):
        rng, steps = generator(0, "mixup", epoch), []
        model.train()
        with torch_seeded(0, "dropout", epoch):
            for index in batches(len(train), batch_size=config.batch_size, seed=0, epoch=epoch):
                x = torch.from_numpy(train.pixels[index]).float().div(255).permute(0, 3, 1, 2).contiguous()
                y = torch.eye(len(train.cells))[train.labels[index]]
                lam, order = draw(rng, alpha=config.mixup_alpha, per=config.mixup_per, batch=len(index))
                x = lam.view(-1, 1, 1, 1) * x + (1 - lam.view(-1, 1, 1, 1)) * x[order]
                y = lam.view(-1, 1) * y + (1 - lam.view(-1, 1)) * y[order]
                loss = F.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                steps.append(loss.item())
        losses.append(float(np.mean(steps)))
    return losses, predict(model, validation)


def fast(train: ImageSet, validation: ImageSet, config: TrialConfig) -> tuple[list[float], np.ndarray]:
    model = build(config, seed=0)
    losses = [report.train_loss for report in fit(model, train, validation, config, seed=0)]
    return losses, predict(model, validation)


@pytest.mark.parametrize("network", [None, *Network])
def test_fp32_is_the_plain_loop_but_for_rounding(network: Network | None, tiny: TrialConfig, images: Images):
    model = Baseline(network, Init.RANDOM) if network else tiny.model
    config = replace(tiny, model=model, lr=1e-3, mixup_per=MixupPer.SAMPLE, image_size=64)
    train, validation = images(24, side=64), images(20, seed=1, side=64)
    (losses, probabilities), (expected, reference) = fast(train, validation, config), plain(train, validation, config)
    assert losses == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(probabilities, reference, atol=1e-3)


@pytest.mark.slow
def test_bf16_learns_what_fp32_learns(tiny: TrialConfig, images: Images):
    """Losses within a tenth of those of fp32, and as many right within 15 in 100; but no bit-equal ones."""
    config = replace(tiny, epochs=10, lr=3e-3)
    train, validation = images(40), images(100, seed=1)
    (losses, probabilities), (expected, reference) = (
        fast(train, validation, replace(config, precision=precision)) for precision in (Precision.BF16, Precision.FP32)
    )
    assert losses != expected
    assert losses == pytest.approx(expected, rel=0.1)
    right, wanted = ((p.argmax(1) == validation.labels).mean() for p in (probabilities, reference))
    assert wanted > 0.5
    assert right == pytest.approx(wanted, abs=0.15)


def test_weights_stay_fp32_under_bf16(tiny: TrialConfig, images: Images):
    *_, last = fit(build(tiny, seed=0), images(16), images(8), replace(tiny, precision=Precision.BF16), seed=0)
    state = last.state.optimizer["state"][0]
    assert {x.dtype for x in last.state.model.values() if x.is_floating_point()} == {torch.float32}
    assert {state["exp_avg"].dtype, state["exp_avg_sq"].dtype} == {torch.float32}


def test_weights_are_laid_out_channels_last(tiny: TrialConfig, images: Images):
    """On a CPU, where that is a fifth to a half faster; the best weights and the optimizer's moments follow them."""
    *_, last = fit(build(tiny, seed=0), images(16), images(8), tiny, seed=0)
    name = "branches.resnet50.body.layer1.0.conv1.weight"
    moments = [state["exp_avg"] for state in last.state.optimizer["state"].values() if state["exp_avg"].dim() == 4]
    for weight in (last.state.model[name], last.state.best_model[name], *moments):
        assert weight.is_contiguous(memory_format=torch.channels_last)


def test_a_trained_trunk_is_saved_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pretrain, "IMAGES", 50)
    monkeypatch.setattr(pretrain, "EPOCHS", 1)
    spec = TrunkSpec(Network.RESNET50, Trunks.TINY)
    pretrain.pretrain(spec, tmp_path, seed=0)
    trained, fresh = (build_trunk(spec, init=init, seed=0, weights=tmp_path) for init in (Init.IMAGENET, Init.RANDOM))
    assert not torch.equal(trained.body.conv1.weight, fresh.body.conv1.weight)
