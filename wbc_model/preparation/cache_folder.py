"""Where the cache of a dataset lies, and whether its disk has room for it."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from wbc_model.datasets.dataset import DataError, is_built_in
from wbc_model.datasets.find import ImageFile
from wbc_model.datasets.spec import DataSpec

FORMAT = 3
"""Bumped when the same files give other bytes."""


def folder_name(spec: DataSpec, samples: Sequence[ImageFile]) -> str:
    """The cache folder's name, which ends in a key.

    The key changes when a file comes, goes or is rewritten, or when the spec does; no file is read for it.
    """
    dataset, files = spec.dataset, [(sample.id, sample.path) for sample in samples]
    if dataset.crop == "mask":
        files += [(f"mask of {name}", dataset.mask_of(path)) for name, path in files]
    settings = [spec.augmentation, spec.split, *([] if is_built_in(dataset) else [dataset.identity()])]
    stats = [(name, path.stat()) for name, path in files if path.exists()]
    content = [FORMAT, settings, [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    return f"{dataset}{'-macenko' * spec.macenko}-{spec.image_size}-{key}"


def most_bytes(images: int, *, image_size: int) -> int:
    """What the cache of a dataset takes at most: its arrays, as many copies, and the draft of all images."""
    return 3 * images * image_size**2 * 3


def require_room(cache: Path, *, need: int, limit: float | None) -> None:
    """Check, before anything is written, that the cache may and can grow.

    Args:
        need: by how many bytes at most.
        limit: what everything in the folder may take, in GB; None: what the disk has.

    Raises:
        DataError: the limit or the disk allows less.
    """
    free = shutil.disk_usage(cache).free
    held = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) if limit is not None else 0
    if limit is not None and held + need > limit * 1e9:
        raise DataError(
            f"the cache {cache} holds {held / 1e9:.1f} GB and may need {need / 1e9:.1f} GB more, over its limit of "
            f"{limit:g} GB: delete folders in it that are not used (they are made again), or raise --cache-limit"
        )
    if need > free:
        raise DataError(
            f"the cache {cache} may need {need / 1e9:.1f} GB, and its disk has {free / 1e9:.1f} GB left: "
            "make room, or choose another place with --cache"
        )


def default_cache() -> Path:
    """`wbc-study` in the user's cache folder."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # Any other is to be ignored, as XDG's specification says.
    return (named if named.is_absolute() else Path.home() / ".cache") / "wbc-study"
