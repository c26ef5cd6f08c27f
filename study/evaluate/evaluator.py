"""Test a kept model on images, and write what was found. Loads torch."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from study.evaluate.evaluation import Evaluation, evaluations_of, write_evaluation
from study.evaluate.images import LabelledImages
from study.evaluate.robustness import Robustness, robustness_of, write_robustness
from study.plan import RunRecord
from study.provenance import code
from study.storage import Storage, predictions_file
from study.storage.beside import check_file
from study.storage.manifests import kept_manifest
from study.trial.kept_model import write_card
from wbc_model.errors import InputError
from wbc_model.files import sha256
from wbc_model.inference.model_file import from_bytes
from wbc_model.inference.model_info import FILE, ModelInfo
from wbc_model.preparation.image_set import ImageSet
from wbc_model.preparation.macenko import all_normalised
from wbc_model.preparation.manifest import Entry
from wbc_model.scoring.alterations import ALTERATIONS, STRENGTHS, altered
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.scoring.predictions import Predictions
from wbc_model.training.predict import predict_known

CHUNK = 256
"""Images between two moves of the progress bar."""


def require_model(storage: Storage, trial_id: str) -> RunRecord:
    """The record of a trial that has kept its model.

    Raises:
        Damaged: the record is not what was written.
        InputError: there is no such finished trial, or it has kept no model.
    """
    files = storage.trial(trial_id)
    record = files.record()
    if record is None:
        raise InputError(f"{files.folder}: no finished trial; wanted one of those in {storage.root / 'trials'}")
    if not files.size(FILE):
        raise InputError(
            f"trial {trial_id} has kept no model: it was trained by an older version or with --keep-weights. To train "
            f"it again, delete {files.folder / 'record.json'} and repeat its launch"
        )
    return record


class KeptModel:
    """The model of a finished trial."""

    def __init__(self, storage: Storage, record: RunRecord, *, device: str) -> None:
        """
        Raises:
            Damaged: the model is not what was written.
        """
        self.storage, self.record, self.device = storage, record, device
        self.files = storage.trial(record.trial.id)
        content, where = self.files.read(FILE) or b"", self.files.folder / FILE
        check_file(record, FILE, content, where=where)
        saved = from_bytes(content, where=str(where))
        self.info: ModelInfo = saved.info
        self.network = saved.network.to(device)
        self.sha256 = sha256(content)
        self.manifest: tuple[Entry, ...] | None = kept_manifest(
            storage.root, dataset=record.trial.config.dataset.name, fingerprint=record.provenance["data"]
        )

    def tested_before(self, images: LabelledImages) -> Evaluation | None:
        """The evaluation of the same model on the same images that its folder has, if any."""
        found = evaluations_of(self.files).get(images.dataset.name)
        same = found and (found.model, found.images) == (self.sha256, images.fingerprint)
        return found if found and same and found.test_set == images.test_set else None

    def test(self, images: LabelledImages, *, tested: Callable[[int], object]) -> Evaluation:
        """Test the model, and keep the evaluation, the predictions and an updated model card.

        Args:
            tested: is given the number of images of each chunk.

        Raises:
            InputError: the model knows none of the images' classes.
        """
        began = time.perf_counter()
        found = self.predict(images, tested)
        if not len(found.ids):
            known = ", ".join(self.record.trial.config.dataset.classes)
            raise InputError(f"{images.dataset}: trial {self.record.trial.id} knows none of its classes, only {known}")
        content = found.to_npz()
        seen = seen_images(found.ids, images.hashes, self.manifest)
        evaluation = Evaluation(
            dataset=images.dataset.name,
            title=images.dataset.title,
            declaration=images.dataset.fingerprint,
            test_set=images.test_set,
            images=images.fingerprint,
            model=self.sha256,
            matrix=found.matrix,
            unknown=len(images) - len(found.ids),
            trained_on=None if seen is None else seen["train"],
            validated_on=None if seen is None else seen["validation"],
            predictions=sha256(content),
            seconds=time.perf_counter() - began,
            made=self._made(),
        )
        self.files.write(predictions_file(evaluation.dataset), content)
        write_evaluation(self.files, evaluation)
        write_card(self.files, self.record, self.info.calibration, manifest=self.manifest or ())
        return evaluation

    def altered_before(self, images: LabelledImages, *, seed: int) -> Robustness | None:
        """The result of `test_altered` on the same images that its folder has, if any."""
        found = robustness_of(self.files, images.dataset.name)
        same = found and (found.model, found.images, found.seed) == (self.sha256, images.fingerprint, seed)
        return found if same else None

    def test_altered(self, images: LabelledImages, *, seed: int, tested: Callable[[int], object]) -> Robustness:
        """Test the model on the images in every alteration and strength, and keep the result.

        If the model takes stains normalised, they are normalised after the alteration, as in its use.

        Args:
            images: in their own stains.
            seed: of what is random in the alterations.
            tested: is given the number of images of each chunk.
        """

        def matrix(name: str, strength: int) -> ConfusionMatrix:
            worse = (altered(each, name, strength, seed=seed) for each in images.sets)
            taken = tuple(map(all_normalised, worse) if self.info.config.data.macenko else worse)
            return self.predict(replace(images, sets=taken), tested).matrix

        found = Robustness(
            dataset=images.dataset.name,
            images=images.fingerprint,
            model=self.sha256,
            seed=seed,
            matrices={name: tuple(matrix(name, strength) for strength in STRENGTHS) for name in ALTERATIONS},
            made=self._made(),
        )
        write_robustness(self.files, found)
        return found

    def _made(self) -> dict[str, Any]:
        return code() | {"device": torch.cuda.get_device_name() if self.device == "cuda" else "cpu"}

    def predict(self, images: LabelledImages, tested: Callable[[int], object]) -> Predictions:
        """What the model says of the images of classes that it knows."""
        classes, parts = self.record.trial.config.dataset.classes, []
        for chunk in (chunk for each in images.sets for chunk in _chunks(each)):
            parts.append(predict_known(self.network, chunk, classes=classes, device=self.device))
            tested(len(chunk))
        return Predictions(
            classes=classes,
            **{
                name: np.concatenate([getattr(part, name) for part in parts])
                for name in ("ids", "truth", "probabilities")
            },
        )


def seen_images(
    ids: np.ndarray, hashes: Mapping[str, str], manifest: tuple[Entry, ...] | None
) -> Mapping[str, int] | None:
    """How many images the model has seen, by the set that they were in, known by the hashes of their files' bytes.

    Args:
        ids: of the images that were tested.
        hashes: by id.
        manifest: of the images that the model was trained on; None: unknown, and so is the result.
    """
    if manifest is None:
        return None
    sets = {entry.sha256: entry.split for entry in manifest if entry.split in ("train", "validation")}
    return Counter(sets[hashes[name]] for name in map(str, ids) if hashes[name] in sets)


def _chunks(images: ImageSet) -> list[ImageSet]:
    return [
        replace(
            images,
            pixels=images.pixels[i : i + CHUNK],
            labels=images.labels[i : i + CHUNK],
            ids=images.ids[i : i + CHUNK],
        )
        for i in range(0, len(images), CHUNK)
    ]
