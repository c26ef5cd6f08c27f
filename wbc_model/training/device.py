"""Where a training computes, and how bytes get there."""

import os

import torch
from torch import Tensor


def choose() -> str:
    """`cuda` if there is a GPU, else `cpu`. A GPU is told to compute what it is asked for, and each time the same.

    So convolutions and products in fp32 are not done in TF32, and kernels that add up in varying order are left for
    others; torch warns of an operation that has no other.
    """
    if not torch.cuda.is_available():
        return "cpu"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else its sums vary
    torch.set_deterministic_debug_mode("warn")
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyrefly: ignore[missing-attribute]
    return "cuda"


def to_device(x: Tensor, device: torch.device | str) -> Tensor:
    """A tensor on the device; a GPU fetches it by itself from pinned memory, while this process goes on."""
    if torch.device(device).type == "cuda":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)
