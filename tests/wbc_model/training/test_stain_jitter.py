"""Stain jitter, by itself and as training does it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from wbc_model.choices import Stain
from wbc_model.config import TrialConfig
from wbc_model.networks.build import build
from wbc_model.preparation.image_set import ImageSet
from wbc_model.preparation.stains import STAINS
from wbc_model.training.predict import to_unit
from wbc_model.training.stain_jitter import MOST, draw, jitter
from wbc_model.training.train import batches, fit

Images = Callable[..., ImageSet]


def mixtures(n: int) -> tuple[np.ndarray, torch.Tensor]:
    """Amounts of the two stains (n, 64, 2), and images (n, 3, 8, 8) of them."""
    amounts = np.random.default_rng(0).uniform(0.2, 1, (n, 64, 2))
    x = (256 * np.exp(-amounts @ STAINS) - 1) / 255
    return amounts, torch.from_numpy(x).float().permute(0, 2, 1).reshape(n, 3, 8, 8)


def test_the_amount_of_each_stain_is_scaled_by_itself_and_alike_all_over_an_image():
    amounts, x = mixtures(200)
    changed = jitter(x, draw(np.random.default_rng(1), images=200)).double().flatten(2).permute(0, 2, 1).numpy()
    scaled = -np.log((255 * changed + 1) / 256) @ np.linalg.pinv(STAINS) / amounts
    factors = scaled.mean(1)
    assert np.abs(scaled - factors[:, None]).max() < 1e-3
    assert np.abs(factors - 1).max() < MOST
    assert factors.std(0) == pytest.approx(MOST / np.sqrt(3), rel=0.1), "uniform"
    assert abs(np.corrcoef(factors.T)[0, 1]) < 0.2


def test_white_stays_white_and_without_a_change_so_does_everything():
    white = torch.ones(4, 3, 8, 8)
    assert torch.equal(jitter(white, draw(np.random.default_rng(0), images=4)), white)
    x = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(jitter(x, torch.eye(3).repeat(4, 1, 1)), x, rtol=0, atol=1e-6)


def seen(config: TrialConfig, images: Images, *, seed: int = 0) -> dict[bool, torch.Tensor]:
    """What a network sees in two epochs, in training (True) and in validation."""
    model, found = build(config, seed=0), {True: [], False: []}
    model.normalise.register_forward_pre_hook(lambda _, x: found[model.training].append(x[0].clone()))
    list(fit(model, images(24), images(8, seed=1), config, seed=seed))
    return {training: torch.cat(parts) for training, parts in found.items()}


def test_training_images_alone_are_jittered_anew_in_every_epoch_and_by_the_seed(tiny: TrialConfig, images: Images):
    plain = replace(tiny, mixup_alpha=0)
    jittered = replace(plain, stain=Stain.JITTER)
    ours, again, without = (seen(config, images) for config in (jittered, jittered, plain))
    assert torch.equal(ours[True], again[True])
    assert torch.equal(ours[False], without[False])
    assert torch.equal(ours[False], to_unit(torch.from_numpy(images(8, seed=1).pixels)).repeat(2, 1, 1, 1))
    assert ((ours[True] - without[True]).flatten(1).abs().amax(1) > 1e-4).all(), "in the same order"
    orders = [np.concatenate(list(batches(24, batch_size=8, seed=0, epoch=epoch))) for epoch in range(2)]
    first, second = (part[np.argsort(order)] for part, order in zip(ours[True].split(24), orders, strict=True))
    assert ((first - second).flatten(1).abs().amax(1) > 1e-4).all()
    matrices = [draw(np.random.default_rng(seed), images=2) for seed in (0, 1)]
    assert not torch.equal(*matrices)
