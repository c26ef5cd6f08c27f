"""Bad input, told from programming errors: what a command reports in one line, and what keeps its traceback."""

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wbc_model.plain_text import plain_output

Arguments = ParamSpec("Arguments")
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
"""Error numbers of a disk that is full, or of a file or folder without permission."""
UNFIT_PATH = UNWRITABLE | {errno.ENOTDIR, errno.EEXIST}
"""... and of a file where a folder was named: the user's to repair, wherever they occur."""


class InputError(Exception):
    """Bad input: arguments, data, weights, stored files, or a service that refuses. The message is for the user."""


class Damaged(InputError):
    """A stored file that does not hold what was written. The message names the file and what is wrong with it."""


def reports_input_errors(main: Callable[Arguments, int]) -> Callable[Arguments, int]:
    """Decorate a command's `main`: bad input is one message on stderr and exit status 2.

    What it prints is plain: control characters in names or in stored text are shown, and do nothing to the terminal.
    Every other exception is a programming error, and propagates: Python shows its traceback and exits with 1.
    """

    @plain_output()
    @wraps(main)
    def reporting(*args: Arguments.args, **kwargs: Arguments.kwargs) -> int:
        try:
            return main(*args, **kwargs)
        except InputError as error:
            told = str(error)
        except OSError as error:
            if error.errno not in UNFIT_PATH:
                raise
            told = str(error)
        print(f"error: {told}", file=sys.stderr)
        return 2

    return reporting


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
