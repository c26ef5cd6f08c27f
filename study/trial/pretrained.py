"""The pre-trained weights of a study's trials: all of them start from the same bytes. Loads torch."""

from collections.abc import Iterable

from study.settings import Settings
from study.storage import Storage
from study.storage.revisions import REVISIONS, read_revisions, write_revisions
from wbc_model.choices import Init
from wbc_model.config import TrialConfig
from wbc_model.errors import Damaged
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.build import trunks_of
from wbc_model.networks.weights import NEWEST, Hub, Source, TrunkSpec, find_weights


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
    return settings.weights_folder() or Hub(_revisions(Storage(settings.storage)))


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
        write_revisions(storage, newest | _revisions(storage))


def _revisions(storage: Storage) -> dict[str, str]:
    try:
        return read_revisions(storage)
    except Damaged as error:
        raise Damaged(f"{error}; python -m study.reconcile --repair writes {REVISIONS} from the records") from error
