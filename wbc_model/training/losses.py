"""The losses that a config can choose. Each takes logits (B, K) and soft labels (B, K) and returns the batch's mean."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from wbc_model.choices import Loss


def soft_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Categorical cross-entropy with soft labels (B, K); mean over the batch."""
    return F.cross_entropy(logits, labels)


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Eq. (3) on the soft-max's probabilities, summed over the classes; mean over the batch."""
    logs = logits.log_softmax(1)
    rest = torch.log1p(-logs.exp().clamp(max=1 - 1e-7))
    return -(labels * logs + (1 - labels) * rest).sum(1).mean()


LOSSES: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    Loss.CE: soft_cross_entropy,
    Loss.BCE_EQ3: binary_cross_entropy,
}
