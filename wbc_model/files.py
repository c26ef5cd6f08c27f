"""Local files and folders that appear whole or not at all, hashes of files, and JSON that holds its own hash. No torch.

What is written is on the disk before it gets its name, so a crash leaves the old content or the new, never a part. An
error, such as a full disk, removes the draft.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from wbc_model.errors import Damaged, decoding

NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EXDEV, errno.EMLINK}
"""Error numbers of a file system without hard links."""
SHA256 = "sha256"
"""The key under which sealed JSON holds the hash of its other values."""


def user_path(text: str) -> Path:
    """A path as its user means it: `~` is the home folder, also where a shell leaves it, as in `--data=~/cells`."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib raises where there is no such user


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256(content: bytes) -> str:
    """The hash of bytes, as `sha256_of` a file that holds them."""
    return hashlib.sha256(content).hexdigest()


def sealed(value: dict[str, Any] | list[Any], *, indent: int | None = None) -> bytes:
    """A JSON document with a hash of itself: another key of a dict, another element of a list."""
    if isinstance(value, dict):
        return json.dumps(value | {SHA256: _digest(value)}, indent=indent).encode()
    return json.dumps([*value, {SHA256: _digest(value)}], indent=indent).encode()


def unsealed(content: str | bytes, *, where: object) -> Any:
    """The value of a JSON document without its hash, which documents of older versions do not have.

    Args:
        where: the file that it is from.

    Raises:
        Damaged: it is no JSON, or its hash is that of another value.
    """
    with decoding(where):
        value = json.loads(content)
        if isinstance(value, dict) and SHA256 in value:
            hashed = value.pop(SHA256)
        elif isinstance(value, list) and value and isinstance(value[-1], dict) and [*value[-1]] == [SHA256]:
            hashed = value.pop()[SHA256]
        else:
            return value
        if hashed != _digest(value):
            raise Damaged(f"{where} is damaged: its content has another hash than when it was written")
        return value


def sealed_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """JSON Lines: a line per row, and a last one with a hash of the rows."""
    rows = list(rows)
    return "".join(json.dumps(row) + "\n" for row in [*rows, {SHA256: _digest(rows)}]).encode()


def unsealed_lines(content: bytes, *, where: object) -> list[dict[str, Any]]:
    """The rows of JSON Lines, as `unsealed`."""
    return unsealed(b"[" + b",".join(content.splitlines()) + b"]", where=where)


def check_zip(content: bytes) -> None:
    """Compare every part of a zip archive (as numpy and torch write them) with its checksum; torch compares none.

    Raises:
        ValueError, zipfile.BadZipFile: a part is not what was written, or it is no such archive.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if damaged := archive.testzip():
            raise ValueError(f"the checksum of its part {damaged} is wrong")


def _digest(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file or replace it; missing parent folders are created."""
    with whole_file(path) as draft:
        draft.write_bytes(content)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; that file replaces `path` at the end of the block, unless the block raises."""
    with _draft(path) as draft:
        yield draft
        _flush(draft)
        draft.replace(path)
        _flush(path.parent)


def create_whole(path: Path, content: bytes) -> None:
    """Write a file that does not exist yet; of several processes that try at the same time, one succeeds.

    Where there are no hard links (FAT, some network and cloud folders), the file is empty for a moment first.

    Raises:
        FileExistsError: the file exists.
    """
    with _draft(path) as draft:
        draft.write_bytes(content)
        _flush(draft)
        try:
            os.link(draft, path)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            path.touch(exist_ok=False)
            draft.replace(path)
        _flush(path.parent)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it becomes `path`, which must not exist, at the end of the block.

    The draft is `<path>.part`, so what a killed process left is removed by the next. Only one process may be at work
    on a folder at a time.
    """
    draft = path.with_name(f"{path.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        for entry in (*draft.rglob("*"), draft):
            _flush(entry)
        draft.rename(path)
        _flush(path.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A name beside `path` that no other writer uses; nothing is left under it."""
    _make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _make_folder(path: Path) -> None:
    """Create a folder and its parents where they are missing, and wait until their names are on the disk."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        _flush(folder.parent)


def _flush(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
