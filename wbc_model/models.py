"""What network is trained: the proposed one with two branches, or a baseline with one trunk. Needs no torch."""

from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, PlainValidator, StrictBool, Tag
from pydantic.dataclasses import dataclass

from wbc_model.choices import TIMM_NAME, Attention, AttentionAt, Cut, Fuse, Init, Network, ParallelBy

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class TwoBranch:
    """The proposed network: a ResNet50 and a DenseNet121 branch, either of which may be absent (None)."""

    resnet: Init | None = Init.IMAGENET
    densenet: Init | None = Init.IMAGENET
    attention: Attention = Attention.SCAM
    cut: Cut = Cut.FULL
    fuse: Fuse = Fuse.ADD
    attention_at: AttentionAt = AttentionAt.FUSED
    parallel_by: ParallelBy = ParallelBy.PRODUCT
    frozen: StrictBool = False
    """Keep the trunks' weights and batch statistics as they started."""

    def __post_init__(self) -> None:
        if self.resnet is None and self.densenet is None:
            raise ValueError("a two-branch model needs at least one branch: resnet and densenet are both None")


def _network(value: Any) -> Network | str:
    if isinstance(value, str) and value in set(Network):
        return Network(value)
    if isinstance(value, str) and TIMM_NAME.fullmatch(value):
        return value
    raise ValueError(f"no network {value!r}: there are {', '.join(Network)}, and any model of timm as timm:NAME.TAG")


@dataclass(frozen=True, config=_STRICT)
class Baseline:
    """A network with one trunk: one of the paper's five, or any model of timm.

    A model of timm is named `timm:NAME.TAG`, or `timm:NAME.TAG@COMMIT` to choose the revision of its weights. The tag
    is required because timm may change which one is its default. Whether timm has the model is checked by `build`, and
    before a study starts; planning does not load timm.
    """

    network: Annotated[Network | str, PlainValidator(_network)]
    init: Init = Init.IMAGENET

    def __post_init__(self) -> None:
        if self.network is Network.JIANG and self.init is Init.IMAGENET:
            raise ValueError("jiang is trained from scratch: no ImageNet weights of it exist; use init='random'")


def _kind(model: Any) -> str:
    return (
        "baseline" if isinstance(model, Baseline) or (isinstance(model, dict) and "network" in model) else "two_branch"
    )


Model = Annotated[Annotated[TwoBranch, Tag("two_branch")] | Annotated[Baseline, Tag("baseline")], Discriminator(_kind)]
