"""Temporary folders of this machine: room for them, and none left by processes that were killed. No torch, no ray."""

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NEEDED = 16 * 2**20
"""Bytes that a trial's W&B run, the largest thing that it puts there, takes at most."""
NEW = 60.0
"""Seconds during which a folder may not be locked yet."""
MARK = ".wbc-study-temporary"
"""A file beside each folder that is made here: a name alone, which others may use as well, lets nothing be deleted."""


def require_temporary_space() -> None:
    """Check that temporary files can be written, so that no trial trains to its end and fails then.

    Raises:
        OSError: the folder of TMPDIR is missing, not writable or full; `errno` is one of `wbc_model.errors.UNWRITABLE`.
    """
    named = os.environ.get("TMPDIR")
    if named and not Path(named).is_dir():
        raise OSError(errno.EACCES, "TMPDIR names a folder that does not exist: create it, or unset TMPDIR", named)
    try:
        with tempfile.TemporaryFile() as file:
            os.posix_fallocate(file.fileno(), 0, NEEDED)
    except OSError as error:
        where = named or tempfile.gettempdir()
        what = f"a trial needs {NEEDED >> 20} MiB for temporary files ({error.strerror}): free some, or set TMPDIR"
        raise OSError(errno.ENOSPC, what, where) from error


@contextmanager
def temporary_folder(what: str) -> Iterator[str]:
    """An empty folder, deleted after the block, or by `sweep_temporary_folders` later if this process is killed."""
    with tempfile.TemporaryDirectory(prefix=f"wbc-{what}-", ignore_cleanup_errors=True) as held:
        Path(held, MARK).touch()
        folder = Path(held, "files")
        folder.mkdir()
        with _locked(Path(held)):
            yield str(folder)


def sweep_temporary_folders() -> None:
    """Delete the folders of this user's processes that were killed: nothing holds the locks on them any more."""
    for folder in (mark.parent for mark in Path(tempfile.gettempdir()).glob(f"wbc-*-*/{MARK}")):
        with suppress(OSError):  # locked, another user's, or deleted since
            if folder.stat().st_uid == os.getuid() and time.time() - folder.stat().st_mtime > NEW:
                with _locked(folder):
                    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder, which ends with the process.

    Raises:
        BlockingIOError: another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
