"""Stain jitter: training images as another staining of the same smears might show them.

The amounts of the nuclear stain and of red cells' are scaled at random, as in Tellez et al., "Quantifying the effects
of data augmentation and stain color normalization in convolutional neural networks for computational pathology", 2019.
But the stains are those of blood smears, and nothing is added to the amounts, so that white stays white.
"""

import numpy as np
import torch
from torch import Tensor

from wbc_model.preparation.stains import STAINS

MOST = 0.2
"""By which an amount grows or falls at most, as a share of it; that of the article's strong variant."""


def draw(rng: np.random.Generator, *, images: int) -> Tensor:
    """What `jitter` multiplies densities by, (images, 3, 3): each stain's amount, by a factor between 1 - MOST and
    1 + MOST."""
    change = MOST * rng.uniform(-1, 1, (images, 1, 2))
    matrices = np.eye(3) + (STAINS.T * change) @ np.linalg.pinv(STAINS.T)
    return torch.from_numpy(matrices.astype(np.float32))


def jitter(x: Tensor, matrices: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] whose optical densities are multiplied by a matrix each (B, 3, 3)."""
    density = -((255 * x + 1) / 256).log().flatten(2)
    return ((256 * (-(matrices @ density)).exp() - 1) / 255).clamp(0, 1).view_as(x)
