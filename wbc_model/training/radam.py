"""RAdam (Liu et al. 2020), the paper's optimizer, with updates that run on the device alone."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

BETAS, EPS = (0.9, 0.999), 1e-8
"""torch's defaults."""
MOMENTS = ("exp_avg", "exp_avg_sq")
"""Keys of the state, as in torch: moving averages of the gradients and of their squares."""


class RAdam(torch.optim.Optimizer):
    """The updates of `torch.optim.RAdam`, from factors that are computed on the host for many steps in advance.

    The rectification depends only on the step number, so it is computed beforehand in double precision; in fp32, as in
    torch's `capturable` mode, the first steps would lose digits. Every update then runs the same kernels and can be
    captured as a CUDA graph.
    """

    def __init__(self, params: Iterable[nn.Parameter], *, lr: float) -> None:
        super().__init__(params, {"lr": lr, "betas": BETAS, "eps": EPS})
        (group,) = self.param_groups
        for p in group["params"]:
            moments = {name: torch.zeros_like(p, memory_format=torch.preserve_format) for name in MOMENTS}
            self.state[p] = {"step": torch.tensor(0.0)} | moments

    def factors(self, steps: int) -> Tensor:
        """The factors (steps, 2), float32, that `update` takes in each of the next steps, which are counted as done."""
        (group,) = self.param_groups
        states = self.state.values()
        t = next(iter(states))["step"].item() + np.arange(1, steps + 1)
        for state in states:
            state["step"] += steps
        first, second = (1 - beta**t for beta in BETAS)
        longest = 2 / (1 - BETAS[1]) - 1
        length = longest - 2 * t * (1 - second) / second  # length of the moving average
        rectified = length > 5
        rho = np.where(rectified, length, longest)
        share = (rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho)
        adaptive = np.where(rectified, np.sqrt(share * second), 0)
        plain = np.where(rectified, 0, 1)
        return torch.from_numpy(np.stack([adaptive, plain], axis=1) * (-group["lr"] / first)[:, None]).float()

    @torch.no_grad()
    def update(self, factors: Tensor) -> None:
        """Update every parameter that has a gradient.

        Args:
            factors: (2,), on the parameters' device: factors of momentum over root mean square, and of momentum.
        """
        (group,) = self.param_groups
        params = [p for p in group["params"] if p.grad is not None]
        gradients = [p.grad for p in params]
        means, squares = ([self.state[p][name] for p in params] for name in MOMENTS)
        torch._foreach_lerp_(means, gradients, 1 - BETAS[0])
        torch._foreach_mul_(squares, BETAS[1])
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - BETAS[1])
        rates = torch._foreach_sqrt(squares)
        torch._foreach_add_(rates, EPS)
        torch._foreach_reciprocal_(rates)
        torch._foreach_mul_(rates, factors[0])
        torch._foreach_add_(rates, factors[1], alpha=1)  # without alpha, torch would copy the factor to the host
        torch._foreach_addcmul_(params, means, rates)
