"""Which records were made from other data or weights than there are now. Loads torch."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from study.execute import prepared, weights_of
from study.plan import Trial
from study.settings import Settings
from study.storage import Storage
from wbc_model.config import TrialConfig
from wbc_model.datasets import DataError
from wbc_model.weights import WeightsError


def stale(finished: Iterable[Trial], settings: Settings) -> dict[str, str]:
    """Id of each finished trial that would not be the same again, and why.

    Compared is what is at hand: data that this machine has prepared, weights that it finds.
    """
    data, weights = cache(_data), cache(_weights)
    found = {}
    for trial in finished:
        record = Storage(settings.storage).trial(trial.id).record()
        made_from: dict[str, Any] = record.provenance if record else {}
        then = {trial.config.dataset: made_from.get("data")} | made_from.get("data_elsewhere", {})
        now = {config.dataset: data(config, settings) for config in trial.config.everywhere}
        if others := [name for name, fingerprint in now.items() if fingerprint and then.get(name) != fingerprint]:
            found[trial.id] = f"other images of {', '.join(others)}"
        elif (there := weights(trial.config, settings)) and _hashes(made_from.get("weights", {})) != there:
            found[trial.id] = "other weights"
    return found


def _data(config: TrialConfig, settings: Settings) -> str:
    try:
        return prepared(config, settings, may_build=False).fingerprint
    except DataError:
        return ""


def _weights(config: TrialConfig, settings: Settings) -> frozenset[tuple[str, str]]:
    try:
        return _hashes(weights_of(config, settings))
    except WeightsError:
        return frozenset()


def _hashes(weights: dict[str, dict[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((name, each["sha256"]) for name, each in weights.items())
