"""The manifests of the data that runs were trained on: one line an image, with its set and its copies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from upath import UPath

from search_spaces.paper import DATASETS
from study.plan import RunRecord
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import Dataset
from wbc_model.preparation.manifest import Entry, read_manifest


@dataclass(frozen=True)
class Manifest:
    """What became of each image of a dataset."""

    file: str
    """Its name: `ldwbc-<fingerprint>.csv`."""
    entries: Sequence[Entry]


def read_manifests(runs: Iterable[RunRecord], storage: UPath, *, usual: TrialConfig) -> dict[Dataset, Manifest]:
    """The manifest of each dataset, in the paper's order; a dataset without one in `storage` is not in it.

    Args:
        usual: only runs with its split and augmentation count, since others have other data on purpose.
    """
    files: dict[Dataset, UPath] = {}
    for run in runs:
        config = run.trial.config
        file = storage / "data" / f"{config.dataset}-{run.provenance.get('data')}.csv"
        if (config.split, config.augmentation) == (usual.split, usual.augmentation) and file.exists():
            files[config.dataset] = file
    return {d: Manifest(files[d].name, tuple(read_manifest(files[d]))) for d in DATASETS if d in files}
