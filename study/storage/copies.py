"""Data and weights that are given by the URL of a folder in an object store: each machine copies them to its cache.

    CACHE/copies/<hash of the URL>/objects.json    the version of each object that a file may be a copy of
                                  /<folder>/       the files
                                  /lock

Each file beside an `objects.json` is a whole copy of that version: files of other versions are deleted before it is
written, and a file gets its name when all of it is there. So a copy that was killed goes on where it stopped.
"""

import os
import platform
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path, PurePosixPath

from filelock import FileLock
from tqdm import tqdm
from upath import UPath

from study.storage.paths import Unreachable, root_of
from wbc_model.errors import UNFIT_PATH, Damaged
from wbc_model.files import sealed, sha256, unsealed, whole_file, write_whole
from wbc_model.preparation.cache_folder import require_room

AT_ONCE = 32
"""Files copied at a time: a store answers after tens of milliseconds, and most images are small."""

WANTED = "wanted a folder that every machine may read: s3://BUCKET/FOLDER, gs://... or az://..."

Version = tuple[int, str]
"""Size in bytes and entity tag: another content has another tag."""


@cache
def local_copy(place: Path | str, *, cache: Path, limit: float | None = None) -> Path:
    """The folder on this machine that has the files of `place`: for a folder itself, for a URL a copy.

    The copy is brought up to date once per process: new and changed objects are copied, and files whose objects are
    gone are deleted. One process copies, others wait for it.

    Args:
        limit: what the cache may take, in GB; None: what the disk has.

    Raises:
        Unreachable: there is no such folder in the store, or it cannot be read.
        DataError: the limit or the disk allows less than the copy needs.
    """
    if isinstance(place, Path):
        return place
    root = root_of(place)
    home = cache / "copies" / sha256(str(root).rstrip("/").encode())[:12]
    folder = home / PurePosixPath(root.path).name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "lock"):
        versions = _listed(root)
        _delete_others(folder, versions, copied=_read(home / "objects.json"))
        write_whole(home / "objects.json", sealed(versions))
        missing = {name: size for name, (size, _) in versions.items() if not (folder / name).exists()}
        if missing:
            require_room(cache, need=sum(missing.values()), limit=limit)
            _copy(root, folder, missing)
    return folder


def _listed(root: UPath) -> dict[str, Version]:
    """The version of each object, by its path below the folder. Empty objects that stand for a folder are left out.

    Raises:
        Unreachable: there is none, the store cannot be read or tells no versions, or a path leads out of the folder.
    """
    with _reading(root):
        found = root.fs.find(root.path, detail=True)
    start, versions = f"{root.path.rstrip('/')}/", {}
    for info in found.values() if isinstance(found, dict) else ():  # adlfs returns a list if it is an object itself
        name, tag = str(info["name"]).removeprefix(start), info.get("ETag", info.get("etag"))
        if info["type"] != "file" or name == info["name"] or name[-1:] in ("", "/"):
            continue
        if tag is None or ".." in name.split("/"):
            reason = "tells no entity tags, by which changes are noticed" if tag is None else f"has an object {name}"
            raise Unreachable(f"{root}: this store {reason}; {WANTED}")
        versions[name] = (int(info["size"]), str(tag))
    if not versions:
        raise Unreachable(f"{root}: no such folder, or nothing in it; {WANTED}")
    folders = {str(folder) for name in versions for folder in PurePosixPath(name).parents}
    return {name: version for name, version in versions.items() if version[0] or name not in folders}


def _read(file: Path) -> Mapping[str, Version]:
    """The versions that are copied; none if that is not known."""
    with suppress(FileNotFoundError, Damaged):
        return {name: (size, tag) for name, (size, tag) in unsealed(file.read_bytes(), where=file).items()}
    return {}


def _delete_others(folder: Path, versions: Mapping[str, Version], *, copied: Mapping[str, Version]) -> None:
    """Delete all files but whole copies of these versions, and empty folders, which a dataset may be looked for in."""
    for place, _, files in os.walk(folder, topdown=False):
        for file in (Path(place, name) for name in files):
            name = file.relative_to(folder).as_posix()
            wanted = versions.get(name)
            if wanted is None or copied.get(name) != wanted or file.stat().st_size != wanted[0]:
                file.unlink()
        with suppress(OSError):
            Path(place).rmdir()


def _copy(root: UPath, folder: Path, sizes: Mapping[str, int]) -> None:
    """Copy objects to files of the same names, with a bar on a terminal.

    Args:
        sizes: bytes of each object, by its path below `root`.
    """
    copy = partial(_copy_one, root, folder)
    bar = tqdm(total=sum(sizes.values()), desc=f"copy {root}", unit="B", unit_scale=True, disable=None)
    with bar, ThreadPoolExecutor(AT_ONCE) as pool:
        for size in pool.map(copy, sizes.keys(), sizes.values()):
            bar.update(size)


def _copy_one(root: UPath, folder: Path, name: str, size: int) -> int:
    with whole_file(folder / name) as draft, _reading(root):
        root.fs.get_file(f"{root.path.rstrip('/')}/{name}", str(draft))
        if (got := draft.stat().st_size) != size:
            raise EOFError(f"{got} of {size} bytes of {name} came")
    return size


@contextmanager
def _reading(root: UPath) -> Iterator[None]:
    """Turn what the store's client raises into `Unreachable`, but not errors of the disk that is written to."""
    try:
        yield
    except Exception as error:  # the client of each protocol has errors of its own
        if isinstance(error, OSError) and error.errno in UNFIT_PATH:
            raise
        told = next(iter(str(error).splitlines()), "")
        raise Unreachable(
            f"{root}: {platform.node()} cannot read it ({type(error).__name__}: {told}); {WANTED}"
        ) from error
