"""Local files and folders that appear whole or not at all, and hashes of files. Needs no torch.

What is written is on the disk before it gets its name, so a crash leaves the old content or the new, never a part. An
error, such as a full disk, removes the draft.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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

    Raises:
        FileExistsError: the file exists.
    """
    with _draft(path) as draft:
        draft.write_bytes(content)
        _flush(draft)
        os.link(draft, path)
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
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
