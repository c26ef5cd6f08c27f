"""Which records would not be the same again: classes, test sets, images or weights have changed. Loads torch."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from study.plan import Trial
from study.settings import Settings
from study.storage import Storage, manifest_file
from study.storage.manifests import kept_manifest
from study.trial.pretrained import weights_of
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import DataError
from wbc_model.datasets.find import ImageFile
from wbc_model.datasets.spec import DataSpec
from wbc_model.errors import Damaged
from wbc_model.networks.weights import WeightsError
from wbc_model.preparation.cache import files_of, open_if_prepared
from wbc_model.preparation.manifest import Entry


@dataclass(frozen=True)
class Comparison:
    """Records against the data and weights at hand."""

    stale: dict[str, str]
    """Trial id -> why its record would not be the same again."""
    not_compared: tuple[str, ...]
    """A line for each dataset or folder that is missing here, so that records made from it could not be compared."""
    complete: bool
    """Whether there is all of the data that there are folders for."""

    @property
    def good(self) -> bool:
        """Whether no record is stale, and the folders of data lack none that is needed to say so."""
        return self.complete and not self.stale

    def lines(self) -> list[str]:
        """What to tell the user."""
        stale = [f"stale: {name}: {reason}" for name, reason in self.stale.items()]
        return [*stale, *(f"finished trials were not compared with their data: {line}" for line in self.not_compared)]


def compare(finished: Iterable[Trial], settings: Settings) -> Comparison:
    """Hold the records of finished trials against the data and weights that this machine has.

    Images that are prepared here are compared by their bytes. Others are compared by the names and sizes of their
    files, which takes one look at each file of a dataset and decodes none.
    """
    present, storage, reasons = _Present(settings), Storage(settings.storage), {}
    for trial in finished:
        record = storage.trial(trial.id).record()
        if record is None:
            continue
        made_from = record.provenance
        if reason := record.outdated or present.images(trial.config, made_from) or present.weights(trial, made_from):
            reasons[trial.id] = reason
    return Comparison(reasons, tuple(dict.fromkeys(present.missing.values())), present.complete)


def set_stale_aside(found: Comparison, settings: Settings, *, rerun: bool) -> bool:
    """Report stale records and what could not be compared; set the records aside if `rerun`; whether any are left."""
    print(*found.lines(), sep="\n", end="\n" * bool(found.lines()), file=sys.stderr)
    if rerun:
        for name in found.stale:
            Storage(settings.storage).trial(name).set_stale_aside()
    elif found.stale:
        print(f"{len(found.stale)} finished trials are stale and are kept: --rerun-stale retrains them",
              file=sys.stderr)  # fmt: skip
    return not (found.good or (rerun and found.complete))


class _Present:
    """The data and weights of this machine, each looked at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.missing: dict[str, str] = {}
        """Dataset -> what is missing."""
        self.complete = True
        self.difference, self.weights_now = cache(self._difference), cache(self._weights)

    def images(self, config: TrialConfig, made_from: dict[str, Any]) -> str:
        """Which datasets that a trial reads have other images than its record was made from; empty: none known."""
        own = {config.dataset.name: made_from.get("data")}
        then = own | made_from.get("data_elsewhere", {})
        differences = [self.difference(each.data, then.get(each.dataset.name)) for each in config.everywhere]
        told = ", ".join(found for found in differences if found)
        return f"other images of {told}" if told else ""

    def weights(self, trial: Trial, made_from: dict[str, Any]) -> str:
        """Whether a trial would start from other weights; empty: not known to."""
        there = self.weights_now(trial.config)
        return "other weights" if there and _hashes(made_from.get("weights", {})) != there else ""

    def _difference(self, spec: DataSpec, fingerprint: str | None) -> str:
        name, folder = spec.dataset.name, self.settings.folder_of(spec.dataset)
        try:
            files = files_of(spec, data=folder)
            prepared = open_if_prepared(spec, files, cache=self.settings.cache)
        except DataError as error:
            self.missing[name] = str(error).splitlines()[0] if folder.is_dir() else f"{folder}: no such folder"
            self.complete &= not folder.is_dir()
            return ""
        if prepared:
            return "" if prepared.fingerprint == fingerprint else name
        root = Storage(self.settings.storage).root
        try:
            entries = kept_manifest(root, dataset=name, fingerprint=str(fingerprint))
        except Damaged as error:
            self.missing[name], self.complete = str(error), False
            return ""
        if entries is None:
            manifest = root / manifest_file(name, str(fingerprint))
            self.missing[name] = f"{name}: not prepared on this machine, and {manifest} is missing"
            return ""
        told = changes(entries, files)
        return f"{name} ({told})" if told else ""

    def _weights(self, config: TrialConfig) -> frozenset[tuple[str, str]]:
        try:
            return _hashes(weights_of(config, self.settings))
        except WeightsError:
            return frozenset()


def changes(entries: Sequence[Entry], files: Sequence[ImageFile]) -> str:
    """How the files of a dataset differ from those in a manifest, by name and size; empty where they do not."""
    then, now = {entry.id: entry.size for entry in entries}, {file.id: file.size for file in files}
    both = then.keys() & now.keys()
    counts = {
        "missing": len(then) - len(both),
        "new": len(now) - len(both),
        "of another size": sum(then[name] not in (None, now[name]) for name in both),
    }
    told = [f"{count} {what}" for what, count in counts.items() if count]
    return f"of {len(then)} files {', '.join(told)}" if told else ""


def _hashes(weights: dict[str, dict[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((name, each["sha256"]) for name, each in weights.items())
