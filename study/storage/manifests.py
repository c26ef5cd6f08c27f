"""The manifests of prepared data that a storage keeps: one line an image, with its set, hash, size and group."""

from upath import UPath

from study.storage.paths import read
from study.storage.trials import manifest_file
from wbc_model.errors import Damaged
from wbc_model.preparation.manifest import Entry, decode_manifest, fingerprint_of


def kept_manifest(root: UPath, *, dataset: str, fingerprint: str) -> tuple[Entry, ...] | None:
    """The entries of a manifest in the storage at `root`; None if it keeps none.

    Raises:
        Damaged: it is no manifest, or one of other images.
    """
    file = root / manifest_file(dataset, fingerprint)
    content = read(file)
    if content is None:
        return None
    entries = decode_manifest(content, where=file)
    if fingerprint_of(entries) != fingerprint:
        raise Damaged(f"{file} is damaged: its images have another fingerprint")
    return entries
