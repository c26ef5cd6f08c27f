"""From a config to its network."""

from wbc_model.choices import Init, Network
from wbc_model.config import TrialConfig
from wbc_model.models import Baseline
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.baselines import BaselineNet, build_baseline
from wbc_model.networks.two_branch import WIDTH, TwoBranchNet
from wbc_model.networks.weights import NEWEST, Source, TrunkSpec


def trunks_of(config: TrialConfig) -> dict[str, tuple[TrunkSpec, Init]]:
    """The trunks of a config's network by name, and the weights that each starts from."""
    model = config.model
    if isinstance(model, Baseline):
        return {str(model.network): (TrunkSpec(model.network, config.trunks, image_size=config.image_size), model.init)}
    branches = {Network.RESNET50: model.resnet, Network.DENSENET121: model.densenet}
    return {
        network.value: (TrunkSpec(network, config.trunks, model.cut, config.image_size), init)
        for network, init in branches.items()
        if init is not None
    }


def build(config: TrialConfig, *, seed: int, weights: Source | None = NEWEST) -> TwoBranchNet | BaselineNet:
    """The network of a config. Every part has a random stream of its own, so variants share the parts that they share.

    Args:
        weights: a folder of pre-trained weights, or the hub; None: begin at random, to load others.

    Raises:
        WeightsError: there is no such model of timm, or pre-trained weights are missing or do not fit.
    """
    trunks = {
        name: build_trunk(spec, init=init if weights else Init.RANDOM, seed=seed, weights=weights or NEWEST)
        for name, (spec, init) in trunks_of(config).items()
    }
    classes = len(config.dataset.classes)
    if isinstance(config.model, Baseline):
        (trunk,) = trunks.values()
        return build_baseline(config.model.network, trunk, normalisation=config.normalisation, classes=classes,
                              dropout=config.dropout, seed=seed)  # fmt: skip
    return TwoBranchNet(trunks, model=config.model, normalisation=config.normalisation,
                        width=WIDTH[config.trunks], classes=classes, dropout=config.dropout, seed=seed)  # fmt: skip
