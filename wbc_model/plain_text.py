"""Text from outside (names of files, labels, what a run recorded) made safe to print, for CSV and for Markdown."""

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

_CONTROL = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f"  # C0 and C1: new lines, and what begins a terminal's escape sequences
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"  # other line ends, and what reverses text
    "\ud800-\udfff]"  # bytes of a file's name that are no UTF-8
)
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_FORMULA = re.compile("[\\s\u200b]*[=+@\\-\uff1d\uff0b\uff20\uff0d]|[\t\r]")


def printable(text: str, *, keep: str = "") -> str:
    r"""Text in which every control character is shown, as `\u001b`, and none works.

    Args:
        keep: control characters that may stay.
    """
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else f"\\u{ord(found[0]):04x}", text)


def counted(n: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def csv_cell(text: str) -> str:
    """Text for a CSV cell that people read: on one line, and no formula."""
    return printable(csv_quoted(text))


def csv_quoted(text: str) -> str:
    """Text for a CSV cell, behind a quotation mark where a spreadsheet would take it for a formula."""
    return f"'{text}" if _FORMULA.match(text.lstrip("'")) else text


def csv_unquoted(text: str) -> str:
    """The inverse of `csv_quoted`."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text.lstrip("'")) else text


def markdown(text: str) -> str:
    """Text on one line, with Markdown's special characters escaped."""
    return "".join(f"\\{sign}" if sign in r"\`*_[]<>|#&~$" else sign for sign in printable(text))


@contextlib.contextmanager
def plain_output() -> Iterator[None]:
    """What is printed in this context is `printable`, but for line ends and tabs. Also a decorator.

    Colours, in which libraries print their messages at a terminal, are left out.
    """
    with contextlib.ExitStack() as stack:
        if sys.stdout is not None:
            stack.enter_context(contextlib.redirect_stdout(cast(TextIO, _Printable(sys.stdout))))
        if sys.stderr is not None:
            stack.enter_context(contextlib.redirect_stderr(cast(TextIO, _Printable(sys.stderr))))
        yield


class _Printable:
    """A text stream in which control characters are shown."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream
        """rich writes there, since it moves the cursor; what it is given is made printable before."""

    def write(self, text: str) -> int:
        start = text[:1] if text[:1] == "\r" else ""  # a progress bar goes back to the start of its line
        plain = printable(_COLOUR.sub("", text[len(start) :]), keep="\n\t")
        return self.rich_proxied_file.write(start + plain)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)
