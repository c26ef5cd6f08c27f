"""What is trained. `TrialConfig()` is the paper's proposed model under its Table 3; everything else is a difference.

Needs no torch, so that planning answers at once.
"""

import hashlib
import json
from dataclasses import fields
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, Tag, TypeAdapter
from pydantic.dataclasses import dataclass

PROTOCOL = 1
"""Bumped when code changes what a config means: every id changes, and no old run can fill a table."""

CELLS = ("basophil", "monocyte", "eosinophil", "neutrophil", "lymphocyte")
"""The five cell types, always in the order of the paper's tables: B M E N L."""


class Dataset(StrEnum):
    """The four datasets of Table 1."""

    LDWBC = "ldwbc"
    LISC = "lisc"
    BCCD = "bccd"
    RAABIN = "raabin"

    @property
    def cells(self) -> tuple[str, ...]:
        """Cell types with a logit of their own, in order. BCCD has no basophils."""
        return CELLS[1:] if self is Dataset.BCCD else CELLS


class Init(StrEnum):
    """The weights a branch or baseline starts from."""

    IMAGENET = "imagenet"
    RANDOM = "random"


class Attention(StrEnum):
    """Table 5. In the tables' labels `channel` is CAM and `spatial` is SAM."""

    NONE = "none"
    SE = "se"
    ECA = "eca"
    CHANNEL = "channel"
    SPATIAL = "spatial"
    PARALLEL = "parallel"
    CSAM = "csam"
    SCAM = "scam"


class Network(StrEnum):
    """The networks the proposed model is compared with (Tables 10-12)."""

    RESNET50 = "resnet50"
    DENSENET121 = "densenet121"
    INCEPTION_V3 = "inception_v3"
    JIANG = "jiang"
    SHARMA = "sharma"


class Cut(StrEnum):
    """Where a trunk ends: whole, or after its third of four blocks."""

    FULL = "full"
    BLOCK3 = "block3"


class Fuse(StrEnum):
    """How the two branches' maps of equal size become one."""

    ADD = "add"
    CONCAT = "concat"


class AttentionAt(StrEnum):
    """Where the attention module sits: on the fused map, or one on each branch before fusion."""

    FUSED = "fused"
    EACH_BRANCH = "each_branch"


class ParallelBy(StrEnum):
    """What CAM // SAM computes from the two maps; no paper gives the formula (docs/paper.md)."""

    PRODUCT = "product"
    LOGIT_SUM = "logit_sum"
    FEATURE_SUM = "feature_sum"


class Normalisation(StrEnum):
    """Of the input pixels, from [0, 1]: by ImageNet's mean and deviation, to [-1, 1], or not at all."""

    IMAGENET = "imagenet"
    UNIT = "unit"
    NONE = "none"


class Loss(StrEnum):
    """Categorical cross-entropy, as the paper's text says, or the binary one of its Eq. (3)."""

    CE = "ce"
    BCE_EQ3 = "bce_eq3"


class MixupPer(StrEnum):
    """One lambda a batch, as in mixup's published code, or one a sample."""

    BATCH = "batch"
    SAMPLE = "sample"


class Schedule(StrEnum):
    """Of the learning rate over the epochs. The paper's "initial learning rate" names no schedule."""

    CONSTANT = "constant"
    COSINE = "cosine"


class Trunks(StrEnum):
    """Size of every trunk: as published, or a miniature for rehearsals and tests."""

    FULL = "full"
    TINY = "tiny"


class Images(StrEnum):
    """Where the images come from: the published datasets, or `synthetic`'s drawings in their layouts."""

    PUBLISHED = "published"
    DRAWN = "drawn"


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
    frozen: bool = False
    """Keep the trunks' weights and batch statistics as they started."""

    def __post_init__(self) -> None:
        if self.resnet is None and self.densenet is None:
            raise ValueError("a two-branch model needs at least one branch: resnet and densenet are both None")


@dataclass(frozen=True, config=_STRICT)
class Baseline:
    """One of the five compared networks."""

    network: Network
    init: Init = Init.IMAGENET

    def __post_init__(self) -> None:
        if self.network is Network.JIANG and self.init is Init.IMAGENET:
            raise ValueError("jiang is trained from scratch: no ImageNet weights of it exist; use init='random'")


def _kind(model: Any) -> str:
    return (
        "baseline" if isinstance(model, Baseline) or (isinstance(model, dict) and "network" in model) else "two_branch"
    )


Model = Annotated[Annotated[TwoBranch, Tag("two_branch")] | Annotated[Baseline, Tag("baseline")], Discriminator(_kind)]


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class TrialConfig:
    """One training, without seed or place. The defaults are Table 3 and the decisions in docs/paper.md."""

    model: Model = TwoBranch()
    dataset: Dataset = Dataset.LDWBC
    mixup_alpha: Annotated[float, Field(ge=0)] = 0.2
    """Parameter of Beta(alpha, alpha), Eqs. (1)-(2); 0 trains on raw samples."""
    mixup_per: MixupPer = MixupPer.BATCH
    lr: Annotated[float, Field(gt=0)] = 1e-5
    """RAdam's initial learning rate."""
    schedule: Schedule = Schedule.CONSTANT
    loss: Loss = Loss.CE
    batch_size: Annotated[int, Field(ge=2)] = 16
    epochs: Annotated[int, Field(ge=1)] = 100
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Before the last fully connected layer."""
    image_size: Annotated[int, Field(ge=32)] = 224
    """Side of the square input, in pixels."""
    normalisation: Normalisation = Normalisation.IMAGENET
    trunks: Trunks = Trunks.FULL
    images: Images = Images.PUBLISHED

    def __post_init__(self) -> None:
        if isinstance(self.model, TwoBranch):
            if self.image_size % 32:
                raise ValueError(
                    f"two branches meet on maps of image_size / 32: {self.image_size} is no multiple of 32"
                )
        elif self.model.network is Network.INCEPTION_V3 and self.trunks is Trunks.FULL and self.image_size < 75:
            raise ValueError(f"inception_v3 needs images of at least 75 pixels, got image_size={self.image_size}")

    def to_json(self) -> dict[str, Any]:
        """Every knob, nested, as plain JSON values."""
        return _CONFIG.dump_python(self, mode="json")

    @staticmethod
    def from_json(value: dict[str, Any]) -> "TrialConfig":
        """The inverse of `to_json`; knobs that are not given keep their defaults.

        Raises:
            pydantic.ValidationError: (a ValueError) for an unknown knob or a value out of range.
        """
        return _CONFIG.validate_python(value)

    def override(self, knobs: dict[str, Any]) -> "TrialConfig":
        """This config with flat knobs changed: `{"epochs": 2, "model.attention": "se"}`.

        A knob of `model.` that only the other kind of model has is left out.

        Raises:
            ValueError: an unknown knob or a value out of range (then a pydantic.ValidationError).
        """
        value = self.to_json()
        for key, new in knobs.items():
            head, _, tail = key.partition(".")
            if key not in KNOBS:
                raise ValueError(f"no knob {key}: there are {', '.join(KNOBS)}")
            if head != "model":
                value[key] = new
            elif tail in value["model"]:
                value["model"][tail] = new
        return TrialConfig.from_json(value)

    def delta(self) -> dict[str, Any]:
        """Nested difference from the defaults: empty for the proposed model."""
        mine, default = self.to_json(), TrialConfig().to_json()
        if isinstance(self.model, Baseline):
            default["model"] = {"init": Init.IMAGENET.value}
        return _difference(mine, default)

    @property
    def id(self) -> str:
        """Ten hex digits of a hash over the protocol and the difference: a new knob leaves old ids alone."""
        text = json.dumps([PROTOCOL, self.delta()], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:10]


_CONFIG: TypeAdapter[TrialConfig] = TypeAdapter(TrialConfig)

KNOBS = tuple(
    dict.fromkeys(
        [field.name for field in fields(TrialConfig) if field.name not in ("model", "dataset")]
        + [f"model.{field.name}" for kind in (TwoBranch, Baseline) for field in fields(kind) if field.name != "network"]
    )
)
"""What `override` can set. The rows of a table choose the dataset and the kind of model."""


def flatten(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"model": {"attention": "se"}}` as `{"model.attention": "se"}`."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _difference(mine: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    """Entries of `mine` that `default` has not or has otherwise, nested dicts likewise; no empty dicts."""
    changed: dict[str, Any] = {}
    for key, value in mine.items():
        if isinstance(value, dict):
            value = _difference(value, default[key])
        if value != default.get(key) and value != {}:
            changed[key] = value
    return changed
