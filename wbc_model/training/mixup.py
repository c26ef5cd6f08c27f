"""Mixup, Eqs. (1)-(2) (Zhang et al. 2018): a pure function of a batch, a weight and an order."""

import numpy as np
import torch
from torch import Tensor

from wbc_model.choices import MixupPer


def mixup(x: Tensor, y: Tensor, *, lam: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """Blend each sample with its partner: `lam * x + (1 - lam) * x[order]`, and the labels likewise.

    Args:
        x: images (B, C, H, W).
        y: soft labels (B, K), rows summing to 1.
        lam: weights in [0, 1], (1,) for the batch or (B,) for each sample.
        order: partners, a permutation of 0 .. B-1.
    """
    wide = lam.view(-1, 1, 1, 1)
    tall = lam.view(-1, 1)
    return wide * x + (1 - wide) * x[order], tall * y + (1 - tall) * y[order]


def draw(rng: np.random.Generator, *, alpha: float, per: MixupPer, batch: int) -> tuple[Tensor, Tensor]:
    """`lam` ~ Beta(alpha, alpha) and `order` for one batch; alpha must be positive."""
    lam = rng.beta(alpha, alpha, size=1 if per is MixupPer.BATCH else batch)
    return torch.from_numpy(lam.astype(np.float32)), torch.from_numpy(rng.permutation(batch))
