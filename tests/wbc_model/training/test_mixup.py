import numpy as np
import pytest
import torch
from scipy import stats

from wbc_model.choices import MixupPer
from wbc_model.training.losses import soft_cross_entropy
from wbc_model.training.mixup import draw, mixup

X = torch.rand(4, 3, 2, 2)
Y = torch.eye(4)
ORDER = torch.tensor([1, 2, 3, 0])


def test_lambda_1_is_the_identity():
    x, y = mixup(X, Y, lam=torch.tensor([1.0]), order=ORDER)
    assert torch.equal(x, X)
    assert torch.equal(y, Y)


def test_images_and_labels_share_weight_and_partner():
    x, y = mixup(X, Y, lam=torch.tensor([0.3]), order=ORDER)
    torch.testing.assert_close(x[2], 0.3 * X[2] + 0.7 * X[3])
    assert y[2].tolist() == pytest.approx([0, 0, 0.3, 0.7])
    assert y.sum(1).tolist() == pytest.approx([1, 1, 1, 1])


def test_one_weight_a_sample_where_several_are_given():
    x, y = mixup(X, Y, lam=torch.tensor([1.0, 0.5, 0.0, 1.0]), order=ORDER)
    assert torch.equal(x[0], X[0])
    assert torch.equal(x[2], X[3])
    assert y[1].tolist() == [0, 0.5, 0.5, 0]


def test_loss_of_mixed_labels_is_the_mix_of_losses():
    logits = torch.randn(4, 4)
    _, y = mixup(X, Y, lam=torch.tensor([0.3]), order=ORDER)
    mixed = 0.3 * soft_cross_entropy(logits, Y) + 0.7 * soft_cross_entropy(logits, Y[ORDER])
    torch.testing.assert_close(soft_cross_entropy(logits, y), mixed)


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_lambda_follows_its_beta_distribution(alpha: float):
    rng = np.random.default_rng(0)
    lam, _ = draw(rng, alpha=alpha, per=MixupPer.SAMPLE, batch=4000)
    assert stats.kstest(lam.numpy(), stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_one_lambda_a_batch_and_a_permutation_of_it():
    lam, order = draw(np.random.default_rng(0), alpha=0.2, per=MixupPer.BATCH, batch=16)
    assert lam.shape == (1,)
    assert sorted(order.tolist()) == list(range(16))
