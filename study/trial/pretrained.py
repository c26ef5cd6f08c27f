"""The pre-trained weights of a study's trials: all of them start from the same bytes. Loads torch."""

import json
from collections.abc import Iterable

from pydantic import TypeAdapter

from study.settings import Settings
from study.storage import Storage
from wbc_model.choices import Init
from wbc_model.config import TrialConfig
from wbc_model.errors import Damaged, decoding
from wbc_model.files import unsealed
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.build import trunks_of
from wbc_model.networks.weights import NEWEST, Hub, Source, TrunkSpec, find_weights

REVISIONS = "weights.json"
"""In storage: the commit of each repository on the hub from which the study's first trials got their weights."""


def check_networks(configs: Iterable[TrialConfig], settings: Settings) -> None:
    """Build every trunk once, after recording in storage which revisions of weights the hub has now.

    Raises:
        WeightsError: timm has no such model, or pre-trained weights are missing or do not fit.
    """
    trunks = {trunk for config in configs for trunk in trunks_of(config).values()}
    pretrained = {spec for spec, init in trunks if init is Init.IMAGENET}
    if settings.weights is None:
        _pin(pretrained, Storage(settings.storage))
    for spec, init in trunks:
        if init is Init.IMAGENET or spec not in pretrained:
            build_trunk(spec, init=init, seed=0, weights=weights_source(settings))


def weights_source(settings: Settings) -> Source:
    """Where trials get pre-trained weights: the folder of `--weights`, or the hub at the commits in storage."""
    return settings.weights or Hub(_revisions(Storage(settings.storage)))


def weights_of(config: TrialConfig, settings: Settings) -> dict[str, dict[str, str]]:
    """Origin and hash of the weights of each trunk that starts from pre-trained ones."""
    source = weights_source(settings)
    trunks = {name: spec for name, (spec, init) in trunks_of(config).items() if init is Init.IMAGENET}
    found = {name: find_weights(spec, source) for name, spec in trunks.items()}
    return {name: {"origin": weights.origin, "sha256": weights.sha256} for name, weights in found.items()}


def _pin(specs: Iterable[TrunkSpec], storage: Storage) -> None:
    """Record the newest commit of each repository for which storage has none. What is recorded is never changed."""
    known = _revisions(storage)
    unknown = {spec.repository: spec for spec in specs if not spec.revision and spec.repository not in known}
    newest = {repository: find_weights(spec, NEWEST).revision for repository, spec in unknown.items()}
    if newest:
        storage.write(REVISIONS, json.dumps(newest | _revisions(storage), indent=1).encode())


def _revisions(storage: Storage) -> dict[str, str]:
    content, where = storage.read(REVISIONS), storage.root / REVISIONS
    if content is None:
        return {}
    try:
        value = unsealed(content, where=where)
        with decoding(where):
            return _REVISIONS.validate_python(value)
    except Damaged as error:
        raise Damaged(f"{error}; python -m study.reconcile --repair takes the commits from the records") from error


_REVISIONS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])
