"""The proposed network: two branches -> 1x1 convolutions -> fuse -> attention -> GAP -> FC -> dropout -> FC."""

from pathlib import Path

from wbc_model.choices import Init, Network
from wbc_model.config import Baseline, TrialConfig
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.baselines import BaselineNet, build_baseline
from wbc_model.networks.two_branch import WIDTH, TwoBranchNet
from wbc_model.networks.weights import TrunkSpec


def trunks_of(config: TrialConfig) -> dict[str, tuple[TrunkSpec, Init]]:
    """The trunks a config's network is made of, and the weights each starts from."""
    model = config.model
    if isinstance(model, Baseline):
        return {model.network.value: (TrunkSpec(model.network, config.trunks), model.init)}
    branches = {Network.RESNET50: model.resnet, Network.DENSENET121: model.densenet}
    return {
        network.value: (TrunkSpec(network, config.trunks, model.cut), init)
        for network, init in branches.items()
        if init is not None
    }


def build(config: TrialConfig, *, seed: int, weights: Path | None = None) -> TwoBranchNet | BaselineNet:
    """The network of a config. Every part has its own random stream: variants differ in nothing but what they vary.

    Args:
        weights: folder of ImageNet weights; None fetches them from timm's hub.

    Raises:
        WeightsError: ImageNet weights are asked for and missing.
    """
    trunks = {
        name: build_trunk(spec, init=init, seed=seed, weights=weights)
        for name, (spec, init) in trunks_of(config).items()
    }
    classes = len(config.dataset.classes)
    if isinstance(config.model, Baseline):
        (trunk,) = trunks.values()
        return build_baseline(config.model.network, trunk, normalisation=config.normalisation, classes=classes,
                              dropout=config.dropout, seed=seed)  # fmt: skip
    return TwoBranchNet(trunks, model=config.model, normalisation=config.normalisation,
                        width=WIDTH[config.trunks], classes=classes, dropout=config.dropout, seed=seed)  # fmt: skip
