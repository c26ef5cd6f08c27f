"""The result of testing a kept model on altered images, in its trial's folder. No torch.

trials/<trial id>/robustness/<dataset>.json    a `Robustness`
"""

from dataclasses import field
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass
from upath import UPath

from study.evaluate.evaluation import read_sealed, sealed_files
from study.storage import TrialFiles
from wbc_model.files import sealed
from wbc_model.scoring.metrics import ConfusionMatrix


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """Tests of a model on a dataset's test images, altered."""

    dataset: str
    """Name of the dataset."""
    images: str
    """Fingerprint of the dataset's images, unaltered."""
    model: str
    """SHA-256 of the model's file."""
    seed: int
    """Of what is random in the alterations."""
    matrices: dict[str, tuple[ConfusionMatrix, ...]]
    """By alteration, one of each strength."""
    made: dict[str, Any] = field(default_factory=dict)
    """Code, packages and device."""


def robustness_files(files: TrialFiles) -> list[UPath]:
    """Those of a trial, without those that were set aside."""
    return sealed_files(files, "robustness")


def robustness_of(files: TrialFiles, dataset: str) -> Robustness | None:
    """The result on a dataset; None if there is none.

    Raises:
        Damaged: it is not what was written.
    """
    file = files.folder / "robustness" / f"{dataset}.json"
    return read_robustness(file) if file.exists() else None


def read_robustness(file: UPath) -> Robustness:
    """
    Raises:
        Damaged: it is not what was written.
    """
    return read_sealed(file, _ROBUSTNESS)


def write_robustness(files: TrialFiles, found: Robustness) -> None:
    """Keep a result, in place of an earlier one on the same dataset."""
    files.write(f"robustness/{found.dataset}.json", sealed(_ROBUSTNESS.dump_python(found, mode="json")))


_ROBUSTNESS: TypeAdapter[Robustness] = TypeAdapter(Robustness)
