"""The result of testing a kept model on other images, in its trial's folder. No torch.

trials/<trial id>/evaluations/<dataset>.json    an `Evaluation`
                  predictions-<dataset>.npz     what the model predicted
"""

from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass
from upath import UPath

from study.storage import TrialFiles, listed, predictions_file, read_bytes
from study.storage.paths import is_set_aside
from wbc_model.errors import Damaged, decoding
from wbc_model.files import sealed, sha256, unsealed
from wbc_model.scoring.metrics import ConfusionMatrix

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A test of a model on images that are not those of its record."""

    dataset: str
    """Name of the dataset."""
    title: str
    """What tables call it."""
    declaration: str
    """Fingerprint of its declaration."""
    test_set: bool
    """Whether only its test set was used; else every image of it."""
    images: str
    """Fingerprint of the dataset's images."""
    model: str
    """SHA-256 of the model's file."""
    matrix: ConfusionMatrix
    """Of the images of classes that the model knows."""
    unknown: int
    """Images of other classes, which were left out."""
    trained_on: int | None
    """How many of the images, by their files' hashes, the model was trained on; None: its manifest is not there."""
    validated_on: int | None
    """... how many chose its epoch, temperature and threshold."""
    predictions: str
    """SHA-256 of the file of predictions."""
    seconds: float
    made: dict[str, Any]
    """Code, packages and device."""

    @property
    def seen(self) -> int | None:
        """Images that the model was trained or validated on; None: unknown."""
        return None if self.trained_on is None or self.validated_on is None else self.trained_on + self.validated_on

    @property
    def remark(self) -> str:
        """What to say beside its scores, in words."""
        kind = "test set" if self.test_set else "all images"
        if self.seen is None:
            return f"{kind}; whether the model was trained on some of them is unknown"
        if self.seen:
            return f"{kind}; the model was trained on {self.trained_on} and validated on {self.validated_on} of them"
        return kind


def evaluations_of(files: TrialFiles) -> dict[str, Evaluation]:
    """By name of the dataset, what a trial's model was tested on later.

    Raises:
        Damaged: one that is not what was written.
    """
    return {file.stem: read_evaluation(file) for file in evaluation_files(files)}


def evaluation_files(files: TrialFiles) -> list[UPath]:
    """The files of a trial's evaluations, without those that were set aside."""
    return sealed_files(files, "evaluations")


def read_evaluation(file: UPath) -> Evaluation:
    """
    Raises:
        Damaged: it is not what was written.
    """
    return read_sealed(file, _EVALUATION)


def check_evaluation(files: TrialFiles, file: UPath) -> None:
    """Compare an evaluation, and the predictions that belong to it, with their hashes.

    Raises:
        Damaged: one of them is not what was written.
    """
    evaluation, name = read_evaluation(file), predictions_file(file.stem)
    if sha256(files.read(name) or b"") != evaluation.predictions:
        raise Damaged(f"{files.folder / name} is damaged or missing: it has another hash than {file} says")


def write_evaluation(files: TrialFiles, evaluation: Evaluation) -> None:
    """Keep an evaluation, in place of an earlier one on the same dataset."""
    content = sealed(_EVALUATION.dump_python(evaluation, mode="json"))
    files.write(f"evaluations/{evaluation.dataset}.json", content)


def sealed_files(files: TrialFiles, folder: str) -> list[UPath]:
    """The JSON files in a folder of a trial's, without those that were set aside."""
    return sorted(file for file in listed(files.folder, f"{folder}/*.json") if not is_set_aside(file.name))


def read_sealed(file: UPath, kind: TypeAdapter[T]) -> T:
    """The value in a sealed JSON file.

    Raises:
        Damaged: it is not what was written.
    """
    value = unsealed(read_bytes(file), where=file)
    with decoding(file):
        return kind.validate_python(value)


_EVALUATION: TypeAdapter[Evaluation] = TypeAdapter(Evaluation)
