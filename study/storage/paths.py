"""Folders and URLs of a storage: files read, written whole or not at all, created once, and set aside."""

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import cast
from uuid import uuid4

from upath import UPath

from wbc_model.errors import InputError
from wbc_model.files import create_whole, user_path, write_whole

SLIP = re.compile(r"(?i)(s3a?|gs|gcs|az|abfs|file|https?):/?([^/].*)")
"""Of a URL that is missing a slash or two: its protocol and the rest."""

GOOGLE = ("gs", "gcs")
DAMAGED = "damaged-"
"""How the names begin of damaged files that are kept."""
DRAFT = re.compile(r"\..+\.([0-9a-f]{32}|[0-9]+.*)")


class Unreachable(InputError, OSError):
    """A store that does not do what it was asked. To a trial that is an I/O error, after which it is retried."""


def place(text: str) -> str:
    """A storage as a user names it: a URL unchanged, a folder as an absolute path.

    Raises:
        InputError: a URL whose slashes are not two, which would be a folder of an odd name here.
    """
    if "://" in text:
        return text
    if slip := SLIP.match(text):
        raise InputError(f"{text} is no URL: did you mean {slip[1]}://{slip[2]}? (./{text} is a folder of that name)")
    return str(user_path(text).absolute())


def root_of(text: str) -> UPath:
    """A folder or URL as a path that shows what other processes write (no listing is cached).

    Raises:
        InputError: a URL of an unknown protocol.
    """
    if "://" not in (text := place(text)):
        return UPath(text)
    try:
        return UPath(text, use_listings_cache=False)
    except (ValueError, ImportError) as error:  # no such protocol, or its client is not installed
        raise InputError(f"{text}: {error}; wanted a folder, s3://..., gs://... or az://...") from error


@contextmanager
def asking(file: UPath) -> Iterator[None]:
    """Turn what the client of an object store raises into `Unreachable`; errors of a file system stay as they are.

    The clients repeat what may be repeated. They raise errors of their own, many of which are no OSErrors.
    """
    try:
        yield
    except Exception as error:
        if is_local(file):
            raise
        told = next(iter(str(error).splitlines()), "")
        raise Unreachable(f"{file}: {platform.node()} cannot reach it ({type(error).__name__}: {told})") from error


def read(file: UPath) -> bytes | None:
    """A file's bytes, or None if it does not exist."""
    try:
        return read_bytes(file)
    except FileNotFoundError:
        return None


def read_bytes(file: UPath) -> bytes:
    """A file's bytes. From a store they come in one request, so they are of one write.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if is_local(file):
        return file.read_bytes()
    with asking(file), suppress(FileNotFoundError):
        return cast(bytes, file.fs.cat_file(file.path))
    raise FileNotFoundError(str(file))


def write(file: UPath, content: bytes) -> None:
    """Replace a file whole or not at all."""
    if is_local(file):
        write_whole(Path(str(file)), content)
    else:  # an object store replaces whole objects
        # gcsfs appends "\n--boundary", and a server may take "\r\n" for the end of a line; to chunks it appends nothing
        chunks = {"chunksize": len(content)} if file.protocol in GOOGLE and content.endswith(b"\r") else {}
        with asking(file):
            file.fs.pipe_file(file.path, content, **chunks)


def create(file: UPath, content: bytes) -> None:
    """Write a file that does not exist yet, whole or not at all; of several that try at the same time, one succeeds.

    Args:
        content: what nobody else would write. If a store carries out the write and its answer is lost, its client asks
            again and is told that the file exists; the content then tells that it is the caller's.

    Raises:
        FileExistsError: the file exists.
    """
    if is_local(file):
        create_whole(Path(str(file)), content)
        return
    with asking(file):
        try:
            file.fs.pipe_file(file.path, content, mode="create")
            return
        except FileExistsError:
            pass
    if read(file) != content:
        raise FileExistsError(str(file))


def delete(file: UPath) -> None:
    """Delete a file, if it is there."""
    if is_local(file):
        file.unlink(missing_ok=True)
    else:
        with asking(file), suppress(FileNotFoundError):  # also if it was deleted, and the answer was lost
            file.fs.rm_file(file.path)


def listed(folder: UPath, pattern: str) -> list[UPath]:
    """The files and folders whose paths below a folder match a pattern, such as `trials/*/record.json`, by name.

    A store is asked for everything below the part of the pattern without wildcards, 1,000 files a request. `UPath.glob`
    asks S3 once for each folder, and leaves out a folder whose listing fails.
    """
    if is_local(folder):
        return sorted(folder.glob(pattern), key=str)
    parts = PurePosixPath(pattern).parts
    fixed = parts[: next(i for i, part in enumerate(parts) if "*" in part)]
    with asking(folder):
        found = folder.fs.find(folder.joinpath(*fixed).path, withdirs=True)
    start = f"{folder.path.rstrip('/')}/"
    paths = (PurePosixPath(name.removeprefix(start)) for name in map(str, found) if name.startswith(start))
    return sorted((folder / str(p) for p in paths if len(p.parts) == len(parts) and p.match(pattern)), key=str)


def check_creates_once(root: UPath) -> None:
    """Try on an object store that it creates an object once only, which leases depend on.

    Raises:
        InputError: it does not.
    """
    if is_local(root):
        return
    probe = root / f"probe-{uuid4().hex}"
    create(probe, b"first")
    try:
        create(probe, b"second")
    except FileExistsError:
        return
    finally:
        delete(probe)
    raise InputError(
        f"{root}: this store creates an object that is there already, so two workers could train one trial at once; "
        f"wanted a store with conditional writes, as those of Amazon, Google and Azure, or a folder"
    )


def set_aside(file: UPath, *, name: str = f"{DAMAGED}{{n}}-{{file}}") -> UPath:
    """Move a file to another name in its folder, so that it is kept and counts no more; returns where it is now.

    Args:
        name: the name, with `n` for the lowest number that is free, and `file` for the old name.
    """
    there = {each.name for each in file.parent.iterdir()}
    names = (name.format(n=n, file=file.name) for n in range(len(there) + 1))
    kept = file.parent / next(each for each in names if each not in there)
    write(kept, read_bytes(file))
    delete(file)
    return kept


def is_set_aside(name: str) -> bool:
    """Whether a name is one that `set_aside` gives to damaged files."""
    return name.startswith(DAMAGED)


def is_draft(name: str) -> bool:
    """Whether a name is that of a file that is being written, such as `.record.json.<hex digits>`."""
    return DRAFT.fullmatch(name) is not None


def is_local(file: Path | UPath) -> bool:
    """Whether it is on a file system, not in an object store."""
    return UPath(file).protocol in ("", "file")
