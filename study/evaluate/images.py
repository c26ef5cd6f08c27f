"""The images that a model is tested on: a dataset's test set, or all images of a folder. Loads torch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from study.storage import Storage, manifest_file
from wbc_model.choices import Augmentation
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import Dataset, is_built_in
from wbc_model.datasets.declare import folder_of
from wbc_model.datasets.find import kind_of
from wbc_model.datasets.spec import DataSpec
from wbc_model.errors import validating
from wbc_model.preparation.cache import prepare
from wbc_model.preparation.image_set import ImageSet
from wbc_model.preparation.splits import SPLITS


@dataclass(frozen=True)
class LabelledImages:
    """Images with their classes."""

    dataset: Dataset
    test_set: bool
    """Whether they are only its test set."""
    sets: tuple[ImageSet, ...]
    hashes: Mapping[str, str]
    """Of each file's bytes, by its id."""
    fingerprint: str
    """Of all images of the dataset."""

    def __len__(self) -> int:
        return sum(map(len, self.sets))


def labelled_images(
    dataset: Dataset, path: Path | None, config: TrialConfig, *, test_set: bool, data: Path | None, cache: Path,
    storage: Storage, in_own_stains: bool = False,
) -> LabelledImages:  # fmt: skip
    """The images of a dataset as a model takes them, from the cache, which is built first where it is missing.

    A test set is the one that the model would see if its config named the dataset in `test_on`. The manifest is kept in
    the storage.

    Args:
        path: the user's own dataset, as `declare` returned it; None: one of the paper's.
        config: of the model.
        test_set: of a user's own dataset, take the test set alone; of the paper's, it always is.
        data: folder of the paper's datasets.
        in_own_stains: leave stains as they are even if the model takes them normalised.

    Raises:
        DataError: data that is missing, wrongly laid out, or too little.
        InputError: the config allows no such dataset.
    """
    folder = folder_of(path, data=data)
    if test_set := test_set or is_built_in(dataset):
        with validating(f"{dataset} for trial {config.id}"):
            spec = replace(config, dataset=dataset).data
    else:
        spec = DataSpec(dataset=dataset, images=kind_of(folder), image_size=config.image_size,
                        augmentation=Augmentation.NONE, macenko=config.data.macenko)  # fmt: skip
    spec = replace(spec, macenko=False) if in_own_stains else spec
    prepared = prepare(spec, data=folder, cache=cache)
    manifest = manifest_file(dataset.name, prepared.fingerprint)
    storage.write(manifest, (prepared.folder / "manifest.csv").read_bytes())
    return LabelledImages(
        dataset=dataset,
        test_set=test_set,
        sets=tuple(prepared.sets[name] for name in (("test",) if test_set else SPLITS)),
        hashes={entry.id: entry.sha256 for entry in prepared.manifest},
        fingerprint=prepared.fingerprint,
    )
