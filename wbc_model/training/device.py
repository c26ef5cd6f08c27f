"""The device that a training runs on, and moving tensors to it."""

import os

import torch
from torch import Tensor


def choose() -> str:
    """`cuda` if there is a GPU, else `cpu`. A GPU is configured for full fp32 precision and reproducible results.

    TF32 is turned off for convolutions and matrix products, and deterministic kernels are chosen; torch warns of
    operations that have none.
    """
    if not torch.cuda.is_available():
        return "cpu"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # otherwise cuBLAS is not deterministic
    torch.set_deterministic_debug_mode("warn")
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyrefly: ignore[missing-attribute]
    return "cuda"


def to_device(x: Tensor, device: torch.device | str) -> Tensor:
    """A tensor on the device. The copy to a GPU is asynchronous, from pinned memory."""
    if torch.device(device).type == "cuda":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)
