"""The manifests of the data that runs were trained on: one line an image, with its set and its copies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from upath import UPath

from search_spaces.paper import DATASETS
from study.plan import RunRecord
from study.storage import manifest_file
from study.storage.manifests import kept_manifest
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import Dataset
from wbc_model.errors import Damaged
from wbc_model.preparation.manifest import Entry


@dataclass(frozen=True)
class Manifest:
    """What became of each image of a dataset."""

    file: str
    """Its name: `ldwbc-<fingerprint>.csv`."""
    entries: Sequence[Entry]


def read_manifests(
    runs: Iterable[RunRecord], storage: UPath, *, usual: TrialConfig, problems: list[str]
) -> dict[Dataset, Manifest]:
    """The manifest of each dataset, in the paper's order; a dataset without one in `storage` is not in it.

    Args:
        usual: only runs with its split and augmentation count, since others have other data on purpose.
        problems: gets a line for each manifest that is damaged.
    """
    fingerprints: dict[Dataset, str] = {}
    for run in runs:
        config = run.trial.config
        name = manifest_file(config.dataset.name, fingerprint := str(run.provenance.get("data")))
        if (config.split, config.augmentation) == (usual.split, usual.augmentation) and (storage / name).exists():
            fingerprints[config.dataset] = fingerprint
    found = {}
    for dataset in (dataset for dataset in DATASETS if dataset in fingerprints):
        name = manifest_file(dataset.name, fingerprint := fingerprints[dataset])
        try:
            entries = kept_manifest(storage, dataset=dataset.name, fingerprint=fingerprint)
        except Damaged as error:
            problems.append(str(error))
        else:
            found[dataset] = Manifest(name.rpartition("/")[2], entries or ())
    return found
