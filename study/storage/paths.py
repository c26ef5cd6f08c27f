"""Folders and URLs of a storage: files read, written whole or not at all, created once, and set aside."""

import re
from pathlib import Path
from uuid import uuid4

from upath import UPath

from wbc_model.errors import InputError
from wbc_model.files import create_whole, user_path, write_whole

SLIP = re.compile(r"(?i)(s3a?|gs|gcs|az|abfs|file|https?):/?([^/].*)")
"""Of a URL that is missing a slash or two: its protocol and the rest."""

DAMAGED = "damaged-"
"""How the names begin of damaged files that are kept."""
DRAFT = re.compile(r"\..+\.([0-9a-f]{32}|[0-9]+.*)")


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


def read(file: UPath) -> bytes | None:
    """A file's bytes, or None if it does not exist."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def write(file: UPath, content: bytes) -> None:
    """Replace a file whole or not at all."""
    if is_local(file):
        write_whole(Path(str(file)), content)
    else:  # an object store replaces whole objects
        file.fs.pipe_file(file.path, content)


def create(file: UPath, content: bytes) -> None:
    """Write a file that does not exist yet, whole or not at all; of several that try at the same time, one succeeds.

    Raises:
        FileExistsError: the file exists.
    """
    if is_local(file):
        create_whole(Path(str(file)), content)
    else:
        file.fs.pipe_file(file.path, content, mode="create")


def check_creates_once(root: UPath) -> None:
    """Try on an object store that it creates an object once only, which leases depend on.

    Raises:
        InputError: it does not.
    """
    if is_local(root):
        return
    probe = root / f"probe-{uuid4().hex}"
    create(probe, b"")
    try:
        create(probe, b"")
    except FileExistsError:
        return
    finally:
        probe.unlink(missing_ok=True)
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
    write(kept, file.read_bytes())
    file.unlink(missing_ok=True)
    return kept


def is_set_aside(name: str) -> bool:
    """Whether a name is one that `set_aside` gives to damaged files."""
    return name.startswith(DAMAGED)


def is_draft(name: str) -> bool:
    """Whether a name is that of a file that is being written, such as `.record.json.<hex digits>`."""
    return DRAFT.fullmatch(name) is not None


def is_local(file: UPath) -> bool:
    """Whether it is on a file system, not in an object store."""
    return file.protocol in ("", "file")
