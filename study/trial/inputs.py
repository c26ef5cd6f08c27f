"""Which records were made from other data or weights than there are now. Loads torch."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from study.plan import Trial
from study.settings import Settings
from study.storage import Storage
from study.trial.pretrained import check_networks, weights_of
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import DataError
from wbc_model.datasets.find import require
from wbc_model.datasets.spec import DataSpec
from wbc_model.networks.weights import WeightsError
from wbc_model.preparation.cache import Prepared, prepare


def stale(finished: Iterable[Trial], settings: Settings) -> dict[str, str]:
    """Id of each finished trial that would not be the same again, and why.

    Compared is what is at hand: data that this machine has prepared, weights that it finds.
    """
    data, weights = cache(_data), cache(_weights)
    found = {}
    for trial in finished:
        record = Storage(settings.storage).trial(trial.id).record()
        made_from: dict[str, Any] = record.provenance if record else {}
        then = {trial.config.dataset.name: made_from.get("data")} | made_from.get("data_elsewhere", {})
        now = {config.dataset.name: data(config, settings) for config in trial.config.everywhere}
        if others := [name for name, fingerprint in now.items() if fingerprint and then.get(name) != fingerprint]:
            found[trial.id] = f"other images of {', '.join(others)}"
        elif (there := weights(trial.config, settings)) and _hashes(made_from.get("weights", {})) != there:
            found[trial.id] = "other weights"
    return found


def _data(config: TrialConfig, settings: Settings) -> str:
    try:
        return prepared(config.data, settings, may_build=False).fingerprint
    except DataError:
        return ""


def _weights(config: TrialConfig, settings: Settings) -> frozenset[tuple[str, str]]:
    try:
        return _hashes(weights_of(config, settings))
    except WeightsError:
        return frozenset()


def _hashes(weights: dict[str, dict[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((name, each["sha256"]) for name, each in weights.items())


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
        name = f"data/{spec.dataset}-{data.fingerprint}.csv"
        Storage(settings.storage).write(name, (data.folder / "manifest.csv").read_bytes())
        if left_out := sum(bool(entry.excluded) for entry in data.manifest):
            total = len(data.manifest)
            notes[spec.dataset] = f"{spec.dataset}: {left_out} of {total} files left out, see {name} in storage"
    return list(notes.values())


def prepared(spec: DataSpec, settings: Settings, *, may_build: bool = True) -> Prepared:
    """Images from the cache of this machine, which is built first where it is missing."""
    return prepare(
        spec,
        data=settings.folder_of(spec.dataset),
        cache=settings.cache,
        limit=settings.cache_limit,
        may_build=may_build,
    )
