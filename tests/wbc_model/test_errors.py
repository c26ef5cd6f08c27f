"""What a command reports in one line, and what keeps its traceback."""

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

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


@pytest.mark.parametrize("error", [InputError("no such table"), DataError("no images"), WeightsError("no weights")])
def test_bad_input_is_one_line_and_exit_2(error: Exception, capsys: pytest.CaptureFixture[str]):
    assert command(error) == 2
    assert capsys.readouterr().err == f"error: {error}\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EISDIR,
                                    errno.ENAMETOOLONG])  # fmt: skip
def test_a_place_that_cannot_be_written_is_one_line_with_a_remedy(number: int, capsys: pytest.CaptureFixture[str]):
    error = OSError(number, os.strerror(number), "/place/file")
    assert command(error) == 2
    remedy = "make room there" if number == errno.ENOSPC else "allow access to it"
    assert capsys.readouterr().err == f"error: {error}: {remedy}, or choose another place\n"


TOLD = "print('α · é'); sys.stdout.flush(); print('told', file=sys.stderr)"
ODD = {
    "an ASCII terminal": ({"PYTHONIOENCODING": "ascii"}, "", TOLD, (0, "\\u03b1 \\xb7 \\xe9\n", "told\n")),
    "a Latin-1 terminal": ({"PYTHONIOENCODING": "latin-1:strict"}, "", "print('αx')", (0, "\\u03b1x\n", "")),
    "a name that is no UTF-8": ({}, "", "print('\\udcff')", (0, "\\udcff\n", "")),
    "no standard error": ({}, "2>&-", TOLD, (0, "α · é\n", "")),
    "no output at all": ({}, ">&- 2>&-", TOLD, (0, "", "")),
    "no reader": ({}, "| head -c 1", "print('x' * 10**6)", (141, "x", "")),
    "no reader of a short text": ({}, "| true", "import time; time.sleep(0.2); print('x')", (141, "", "")),
    "no home": ({"HOME": "nowhere"}, "", "from pathlib import Path; print(Path.home())", (0, "/nonexistent\n", "")),
    "no docstrings": ({"PYTHONOPTIMIZE": "2"}, "", "print(main.__doc__)", (0, "None\n", "")),
}  # fmt: skip


@pytest.mark.parametrize("how", ODD)
def test_an_odd_process_runs_a_command_as_any_other(how: str):
    env, streams, body, (status, out, err) = ODD[how]
    code = f"import sys\nfrom wbc_model.errors import *\n@reports_input_errors\ndef main():\n    {body}\n    return 0\n"
    shell = f'set -o pipefail; "$PYTHON" -c "$CODE" {streams}'
    whole = os.environ | {"PYTHON": sys.executable, "CODE": code + "sys.exit(main())"} | env
    done = subprocess.run(["bash", "-c", shell], env=whole, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, out, err)


READ_ONLY = 'mount --bind "$HOME" "$HOME"; mount -o remount,ro,bind "$HOME"; '
ELSEWHERE = f"{tempfile.gettempdir()}/cache-{os.getuid()}"


@pytest.mark.skipif(os.getuid() != 0, reason="mounts file systems, which is for root")
@pytest.mark.parametrize(("mounts", "expected"), [
    ("", ""), (READ_ONLY, ELSEWHERE), (READ_ONLY + 'mount -t tmpfs none "$HOME/.cache"; ', ""),
])  # fmt: skip
def test_the_caches_of_a_read_only_home_are_in_the_temporary_folder(mounts: str, expected: str, tmp_path: Path):
    (tmp_path / ".cache").mkdir()
    code = ("import os, sys\nfrom wbc_model.errors import *\n@reports_input_errors\ndef main():\n"
            "    print(os.environ['XDG_CACHE_HOME'])\n    return 0\nsys.exit(main())")  # fmt: skip
    env = os.environ | {"HOME": str(tmp_path), "CODE": code, "PYTHON": sys.executable, "XDG_CACHE_HOME": ""}
    script = mounts + 'exec "$PYTHON" -c "$CODE"'
    done = subprocess.run(["unshare", "-m", "bash", "-ec", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"{expected}\n"


def test_what_is_closed_is_not_taken_by_the_next_file(tmp_path: Path):
    file = tmp_path / "record"
    code = (f"import os, sys\nfrom wbc_model.errors import *\n@reports_input_errors\ndef main():\n"
            f"    with open({str(file)!r}, 'w'): os.write(2, b'noise')\n    return 0\nsys.exit(main())")  # fmt: skip
    subprocess.run(["bash", "-c", '"$1" -c "$2" 2>&-', "_", sys.executable, code], check=True)
    assert file.read_bytes() == b""


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
