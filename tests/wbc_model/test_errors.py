"""What a command reports in one line, and what keeps its traceback."""

import errno
from collections.abc import Sequence

import pytest
from pydantic import TypeAdapter

from wbc_model.datasets.dataset import DataError
from wbc_model.errors import InputError, reports_input_errors, validating
from wbc_model.networks.weights import WeightsError


def command(error: Exception) -> int:
    @reports_input_errors
    def main(argv: Sequence[str] | None = None) -> int:  # noqa: ARG001 - a command's signature
        raise error

    return main([])


@pytest.mark.parametrize("error", [InputError("no such table"), DataError("no images"), WeightsError("no weights"),
                                   OSError(errno.ENOSPC, "No space left"), PermissionError(errno.EACCES, "denied"),
                                   NotADirectoryError(errno.ENOTDIR, "Not a directory")])  # fmt: skip
def test_bad_input_is_one_line_and_exit_2(error: Exception, capsys: pytest.CaptureFixture[str]):
    assert command(error) == 2
    assert capsys.readouterr().err == f"error: {error}\n"


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), LookupError("x"), ImportError("x"),
                                   FileNotFoundError(errno.ENOENT, "x")])  # fmt: skip
def test_everything_else_is_raised(error: Exception):
    with pytest.raises(type(error)) as raised:
        command(error)
    assert raised.value is error


def test_every_bad_value_is_named_in_one_line_without_pydantics_own_text():
    with pytest.raises(InputError) as raised, validating("plan.json"):
        TypeAdapter(dict[str, int]).validate_python({"epochs": "two", "seed": 0.5})
    told = str(raised.value)
    assert told.startswith("plan.json: epochs=two: Input should be a valid integer")
    assert "; seed=0.5: Input should be a valid integer" in told
    assert "pydantic" not in told
    assert "\n" not in told
