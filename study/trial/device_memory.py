"""How much of a GPU's memory a trial takes. Loads torch."""

import torch

CONTEXT = 600 * 2**20
"""Upper bound, in bytes, on the memory of a CUDA context; whatever else is in use belongs to other processes."""


def gpu_share(device: str, *, more: int = 0) -> float:
    """Peak fraction of the GPU's memory that this process used, its CUDA context included; 0 without a GPU.

    Args:
        more: bytes that a whole training takes beyond that.
    """
    if device != "cuda":
        return 0.0
    free, total = torch.cuda.mem_get_info()
    others = total - free - torch.cuda.memory_reserved()
    return (torch.cuda.max_memory_reserved() + min(others, CONTEXT) + more) / total
