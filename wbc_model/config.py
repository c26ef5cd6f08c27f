"""What is trained. `TrialConfig()` is the paper's proposed model under its Table 3; everything else is a difference.

Needs no torch, so that planning answers at once.
"""

import hashlib
import json
from dataclasses import fields, replace
from functools import cache
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from wbc_model.choices import (
    Augmentation,
    EvaluateOn,
    ImageSource,
    Init,
    Loss,
    LrSchedule,
    MixupPer,
    Network,
    Normalisation,
    Precision,
    SplitBy,
    Stain,
    Trunks,
)
from wbc_model.datasets.dataset import PAPER, Dataset, DatasetField, by_name
from wbc_model.datasets.ldwbc import DATASET as LDWBC
from wbc_model.datasets.spec import DataSpec
from wbc_model.errors import InputError, validating
from wbc_model.models import Baseline, Model, TwoBranch
from wbc_model.nested import difference, flatten

PROTOCOL = 2
"""Bumped when code changes what a config means: every id changes, and no old run can fill a table."""

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class TrialConfig:
    """One training, without seed or place. The defaults are Table 3 and the decisions in docs/paper.md."""

    model: Model = TwoBranch()
    dataset: DatasetField = LDWBC
    mixup_alpha: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] = 0.2
    """Parameter of Beta(alpha, alpha), Eqs. (1)-(2); 0 trains on raw samples."""
    mixup_per: MixupPer = MixupPer.BATCH
    lr: Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)] = 1e-5
    """RAdam's initial learning rate."""
    schedule: LrSchedule = LrSchedule.CONSTANT
    loss: Loss = Loss.CE
    batch_size: Annotated[int, Field(ge=2, strict=True)] = 16
    epochs: Annotated[int, Field(ge=1, strict=True)] = 100
    dropout: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0.5
    """Before the last fully connected layer."""
    image_size: Annotated[int, Field(ge=32, strict=True)] = 224
    """Side of the square input, in pixels."""
    normalisation: Normalisation = Normalisation.IMAGENET
    augmentation: Augmentation = Augmentation.PAPER
    split: SplitBy = SplitBy.RANDOM
    stain: Stain = Stain.NONE
    precision: Precision = Precision.FP32
    trunks: Trunks = Trunks.FULL
    images: ImageSource = ImageSource.PUBLISHED
    test_on: EvaluateOn | tuple[DatasetField, ...] = EvaluateOn.OWN
    """Beside its own test set: none, those of the paper's other datasets, or those of some datasets."""

    def __post_init__(self) -> None:
        ungrouped = [dataset for dataset in self.tested if dataset.groups is None]
        if self.split is SplitBy.SOURCE_GROUPED and ungrouped:
            raise ValueError(
                f"split=source_grouped needs to know which images are of one slide or patient, and "
                f"{', '.join(map(str, ungrouped))} cannot tell: its value has no `groups`"
            )
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
            InputError: an unknown knob or a value out of range.
        """
        with validating():
            return _CONFIG.validate_python(value)

    def override(self, knobs: dict[str, Any]) -> "TrialConfig":
        """This config with flat knobs changed: `{"epochs": 2, "model.attention": "se"}`.

        A knob of `model.` that only the other kind of model has is left out.

        Raises:
            InputError: an unknown knob or a value out of range.
        """
        value = self.to_json()
        for key, new in knobs.items():
            head, _, tail = key.partition(".")
            if key not in KNOBS:
                meant = f" (model.{key}?)" if f"model.{key}" in KNOBS else ""
                raise InputError(f"no knob {key}{meant}: there are {', '.join(KNOBS)}")
            if head != "model":
                value[key] = new
            elif tail in value["model"]:
                value["model"][tail] = new
        return TrialConfig.from_json(value)

    @property
    def data(self) -> DataSpec:
        """The images it reads."""
        return DataSpec(
            dataset=self.dataset,
            images=self.images,
            image_size=self.image_size,
            augmentation=self.augmentation,
            split=self.split,
            macenko=self.stain is Stain.MACENKO,
        )

    @property
    def elsewhere(self) -> tuple["TrialConfig", ...]:
        """Itself on each other dataset whose test set its model sees too."""
        return tuple(replace(self, dataset=dataset) for dataset in self.tested[1:])

    @property
    def everywhere(self) -> tuple["TrialConfig", ...]:
        """Itself, and on each other dataset whose test set its model sees."""
        return (self, *self.elsewhere)

    @property
    def tested(self) -> tuple[Dataset, ...]:
        """The datasets whose test sets its model sees, its own first."""
        named = {EvaluateOn.OWN: (), EvaluateOn.ALL: map(by_name, PAPER)}
        others = named[self.test_on] if isinstance(self.test_on, EvaluateOn) else self.test_on
        return tuple(dict.fromkeys((self.dataset, *others)))

    @property
    def rehearsal(self) -> bool:
        """Whether its numbers say nothing about blood cells."""
        return self.images is ImageSource.DRAWN or self.trunks is Trunks.TINY

    def delta(self) -> dict[str, Any]:
        """Nested difference from the defaults: empty for the proposed model."""
        mine, default = self.to_json() | {"dataset": self.dataset.identity()}, TrialConfig().to_json()
        if isinstance(self.test_on, tuple):
            mine["test_on"] = [dataset.identity() for dataset in self.test_on]
        if isinstance(self.model, Baseline):
            default["model"] = {"init": Init.IMAGENET.value}
        return difference(mine, default)

    def knobs(self) -> dict[str, Any]:
        """The difference from the defaults for people: flat, and datasets by their names."""
        named = {"dataset": self.dataset.name, "test_on": ",".join(map(str, self.tested[1:]))}
        return flatten(
            {
                knob: named[knob] if knob in named and not isinstance(value, str) else value
                for knob, value in self.delta().items()
            }
        )

    @property
    def id(self) -> str:
        """Ten hex digits of a hash over the protocol and the difference: a new knob leaves old ids alone."""
        return _id(self, PROTOCOL)

    @property
    def ids_before(self) -> set[str]:
        """Its ids under earlier protocols."""
        return {_id(self, protocol) for protocol in range(1, PROTOCOL)}


@cache
def _id(config: TrialConfig, protocol: int) -> str:
    text = json.dumps([protocol, config.delta()], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


_CONFIG: TypeAdapter[TrialConfig] = TypeAdapter(TrialConfig)

KNOBS = tuple(
    dict.fromkeys(
        [field.name for field in fields(TrialConfig) if field.name not in ("model", "dataset")]
        + [f"model.{field.name}" for kind in (TwoBranch, Baseline) for field in fields(kind) if field.name != "network"]
    )
)
"""What `override` can set. The rows of a table choose the dataset and the kind of model."""
