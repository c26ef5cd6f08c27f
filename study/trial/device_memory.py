"""New."""

import torch

CONTEXT = 600 * 2**20
"""Bytes that CUDA takes of a GPU for each process, at most: what else is in use there is other processes'."""


def gpu_share(device: str, *, more: int = 0) -> float:
    """Share of the GPU's memory that this process had at most, with what CUDA takes for itself; 0 without one.

    Args:
        more: bytes that a whole training has beyond that.
    """
    if device != "cuda":
        return 0.0
    free, total = torch.cuda.mem_get_info()
    others = total - free - torch.cuda.memory_reserved()
    return (torch.cuda.max_memory_reserved() + min(others, CONTEXT) + more) / total
