"""Bad input, told from programming errors: what a command reports in one line, and what keeps its traceback."""

import errno
import io
import os
import select
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wbc_model.plain_text import plain_output

Arguments = ParamSpec("Arguments")
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
UNWRITABLE = NO_ROOM | {errno.EROFS, errno.EACCES, errno.EPERM}
"""Error numbers of a disk that is full, or of a file or folder without permission."""
UNFIT_PATH = UNWRITABLE | {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}
"""... and of a file where a folder was named, or the like: the user's to repair, wherever they occur."""
STOPPED = 128 + signal.SIGINT
"""Exit status after Ctrl-C: that of any command."""
READER_GONE = 128 + signal.SIGPIPE
"""Exit status if nobody reads the output to its end, as in `| head`: that of any command."""


class InputError(Exception):
    """Bad input: arguments, data, weights, stored files, or a service that refuses. The message is for the user."""


class Damaged(InputError):
    """A stored file that does not hold what was written. The message names the file and what is wrong with it."""


def reports_input_errors(main: Callable[Arguments, int]) -> Callable[Arguments, int]:
    """Decorate a command's `main`: bad input is one message on stderr and exit status 2.

    What it prints is plain: control characters in names or in stored text are shown, and do nothing to the terminal.
    Every other exception is a programming error, and propagates: Python shows its traceback and exits with 1.
    What is odd about the process (no home, a read-only one, an ASCII terminal, a closed stream, no reader) is dealt
    with here.
    """

    @wraps(main)
    def reporting(*args: Arguments.args, **kwargs: Arguments.kwargs) -> int:
        _settle()
        return attempted(*args, **kwargs)

    @plain_output()
    def attempted(*args: Arguments.args, **kwargs: Arguments.kwargs) -> int:
        try:
            try:
                return main(*args, **kwargs)
            finally:
                sys.stdout.flush()
        except InputError as error:
            problem = str(error)
        except OSError as error:
            if isinstance(error, BrokenPipeError) and _reader_is_gone():
                return READER_GONE
            if error.errno not in UNFIT_PATH:
                raise
            remedy = "make room there" if error.errno in NO_ROOM else "allow access to it"
            problem = f"{error}: {remedy}, or choose another place"
        except KeyboardInterrupt:
            print(file=sys.stderr)  # the terminal shows ^C
            return STOPPED
        print(f"error: {problem}", file=sys.stderr)
        return 2

    return reporting


def _settle() -> None:
    """Make the process as libraries and commands expect it, where a service manager, a cron job or a site did not."""
    for number in range(3):  # closed, the next file that is opened would get what is written to the stream
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until it ends
        setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a letter that it cannot show is no reason to stop
    if os.environ.get("HOME") == "":
        del os.environ["HOME"]
    if not os.path.isabs(os.path.expanduser("~")):  # noqa: PTH111, PTH117 - pathlib and many libraries raise
        os.environ["HOME"] = "/nonexistent"
    if not Path(os.environ.get("XDG_CACHE_HOME", "")).is_absolute() and not _can_be_written(Path.home() / ".cache"):
        os.environ["XDG_CACHE_HOME"] = str(Path(tempfile.gettempdir(), f"cache-{os.getuid()}"))


def _can_be_written(folder: Path) -> bool:
    """Whether it is a folder that takes files, or can be made in one that is there."""
    return os.access(folder if os.access(folder, os.F_OK) else folder.parent, os.W_OK)


def _reader_is_gone() -> bool:
    """Whether nobody reads standard output any more; then nothing more is written to it."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    gone = any(event & select.POLLERR for _, event in poll.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return gone


@contextmanager
def validating(where: str = "") -> Iterator[None]:
    """Turn pydantic's ValidationError into an InputError that names each bad value and what is accepted.

    Args:
        where: what is being read, to begin the message with.
    """
    try:
        yield
    except ValidationError as error:
        raise InputError((where and f"{where}: ") + "; ".join(map(_problem, error.errors()))) from None


@contextmanager
def decoding(where: object) -> Iterator[None]:
    """Turn whatever is raised while bytes are decoded into `Damaged`. The bytes are to be read before the block.

    Args:
        where: the file that they are from.
    """
    try:
        with validating():
            yield
    except Damaged:
        raise
    except Exception as error:  # a decoder of damaged bytes may raise anything
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise Damaged(f"{where} is damaged: {reason}") from error


def _problem(problem: ErrorDetails) -> str:
    name, value = ".".join(map(str, problem["loc"])), problem["input"]
    given = "" if not name else f"{name}: " if isinstance(value, dict) else f"{name}={value}: "
    return given + problem["msg"].removeprefix("Value error, ")
