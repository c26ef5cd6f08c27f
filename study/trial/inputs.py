"""The data and weights that trials start from. Loads torch."""

from collections.abc import Iterable

from study.plan import Trial
from study.settings import Settings
from study.storage import Storage, manifest_file
from study.trial.pretrained import check_networks
from wbc_model.datasets.find import require
from wbc_model.datasets.spec import DataSpec
from wbc_model.preparation.cache import Prepared, prepare


def check_inputs(trials: Iterable[Trial], settings: Settings) -> list[str]:
    """Prepare the data and find the weights that trials need, before the first of them starts; keep the manifests.

    Returns:
        A line for each dataset of which files are left out.

    Raises:
        DataError, WeightsError: naming what is missing, damaged or unfit.
    """
    configs = {trial.config for trial in trials}
    everywhere = {each for config in configs for each in config.everywhere}
    datasets = sorted({config.dataset for config in everywhere}, key=str)
    require({dataset: settings.folder_of(dataset) for dataset in datasets})
    check_networks(configs, settings)
    notes = {}
    for spec in {config.data for config in everywhere}:
        data = prepared(spec, settings)
        name = manifest_file(spec.dataset.name, data.fingerprint)
        Storage(settings.storage).write(name, (data.folder / "manifest.csv").read_bytes())
        if left_out := sum(bool(entry.excluded) for entry in data.manifest):
            total = len(data.manifest)
            notes[spec.dataset] = f"{spec.dataset}: {left_out} of {total} files left out, see {name} in storage"
    return list(notes.values())


def prepared(spec: DataSpec, settings: Settings) -> Prepared:
    """Images from the cache of this machine, which is built first where it is missing."""
    folder = settings.folder_of(spec.dataset)
    return prepare(spec, data=folder, cache=settings.cache, limit=settings.cache_limit)
