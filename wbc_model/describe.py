"""Parameters and multiply-adds of the paper's models, or of models of timm: `python -m wbc_model.describe`.

torch counts the backward pass of a grouped convolution as if it were dense, so the last column is too large for
networks that have many of them, such as EfficientNet and ConvNeXt.
"""

import argparse
import sys
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from wbc_model.choices import Cut, Fuse, Init, Network
from wbc_model.config import TrialConfig
from wbc_model.errors import reports_input_errors, validating
from wbc_model.models import Baseline, TwoBranch
from wbc_model.networks.build import build

RANDOM = {"resnet": Init.RANDOM, "densenet": Init.RANDOM}
MODELS = {
    "two branches": TrialConfig(model=TwoBranch(**RANDOM)),
    "two branches, concatenated": TrialConfig(model=TwoBranch(**RANDOM, fuse=Fuse.CONCAT)),
    "two branches, cut after block 3": TrialConfig(model=TwoBranch(**RANDOM, cut=Cut.BLOCK3)),
    "RM only": TrialConfig(model=TwoBranch(resnet=Init.RANDOM, densenet=None)),
    "DM only": TrialConfig(model=TwoBranch(resnet=None, densenet=Init.RANDOM)),
    **{network.value: TrialConfig(model=Baseline(network, Init.RANDOM)) for network in Network},
    "inception_v3 at 299": TrialConfig(model=Baseline(Network.INCEPTION_V3, Init.RANDOM), image_size=299),
}


def measure(config: TrialConfig) -> tuple[float, float, float]:
    """Parameters in millions; multiply-adds per image in billions, of the forward pass and of forward and backward."""
    model = build(config, seed=0)
    forward = _multiply_adds(model, config.image_size, backward=False)
    both = _multiply_adds(model, config.image_size, backward=True)
    return sum(p.numel() for p in model.parameters()) / 1e6, forward, both


def _multiply_adds(model: nn.Module, image_size: int, *, backward: bool) -> float:
    x = torch.rand(2, 3, image_size, image_size)
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        loss = model(x).sum()
        if backward:
            loss.backward()
    return counter.get_total_flops() / 2 / len(x) / 1e9


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Print the table. 0: done. 2: invalid arguments, or no such model."""
    p = argparse.ArgumentParser(prog="python -m wbc_model.describe", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    p.add_argument("networks", nargs="*", metavar="timm:NAME.TAG", help="these models of timm instead")
    p.add_argument("--image-size", type=int, default=224, metavar="PIXELS", help="their input (224)")
    args = p.parse_args(argv)
    with validating():
        named = {n: TrialConfig.from_json({"model": {"network": n, "init": "random"}, "image_size": args.image_size})
                 for n in args.networks}  # fmt: skip
    width = max(34, *(len(name) + 1 for name in (named or MODELS)))
    print(f"{'':{width}}{'pixels':>8}{'M parameters':>14}{'GMAC forward':>14}{'GMAC training':>15}")
    for name, config in (named or MODELS).items():
        parameters, forward, both = measure(config)
        print(f"{name:{width}}{config.image_size:8}{parameters:14.2f}{forward:14.2f}{both:15.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
