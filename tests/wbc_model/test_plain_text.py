"""Text from outside: names of files, labels, what a run recorded."""

import csv
import io
import sys

import pytest

from wbc_model.errors import InputError, reports_input_errors
from wbc_model.plain_text import csv_cell, plain_output, printable
from wbc_model.preparation.manifest import Entry, read_manifest, write_manifest


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain α ≥ 淋", "plain α ≥ 淋"),
        ("\x1b[2J\x07", "\\u001b[2J\\u0007"),
        ("a\nb\tc\r", "a\\u000ab\\u0009c\\u000d"),
        ("\x9b31m\u202egpj.exe\u2028", "\\u009b31m\\u202egpj.exe\\u2028"),
        ("\udcff.png", "\\udcff.png"),
    ],
)
def test_control_characters_are_shown(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@a", "\t=1", "\ra", " =1", "\uff1d1", "\n=1"])
def test_no_text_is_a_formula(formula):
    assert csv_cell(formula) == "'" + printable(formula)
    assert csv_cell(f"a{formula}") == "a" + printable(formula)


@pytest.mark.parametrize("text", ["=1", "'=1", "''-a", "'", "'a", "a", "", "\t", "@", "a=b"])
def test_a_manifest_holds_names_that_are_no_formulas_and_gives_them_back(text, tmp_path):
    entry = Entry(id=text, cell=f"{text}'", split="", copies=0, sha256="ab", excluded=text, size=3, group=text)
    write_manifest(tmp_path / "manifest.csv", [entry])
    assert read_manifest(tmp_path / "manifest.csv") == (entry,)
    with (tmp_path / "manifest.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["id"][:1] not in {"=", "@", "\t"}


def test_a_command_prints_control_characters_as_text(capsys):
    @reports_input_errors
    def main() -> int:
        print("a\x1b[2Jb\tc", "\x1b[31;1mred\x1b[0m \x9b", sep="\n")
        print("\r 50 %", end="", file=sys.stderr)
        raise InputError("no \x1b]0;file\x07")

    assert main() == 2
    assert capsys.readouterr() == ("a\\u001b[2Jb\tc\nred \\u009b\n", "\r 50 %error: no \\u001b]0;file\\u0007\n")
    print("\x1b")
    assert capsys.readouterr().out == "\x1b\n"


def test_the_streams_are_otherwise_themselves(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    monkeypatch.setattr(sys, "stderr", None)
    with plain_output():
        sys.stdout.writelines(["\x1b", "é"])
        sys.stdout.flush()
        assert sys.stdout.encoding == "latin-1"
        assert sys.stdout.buffer.getvalue() == b"\\u001b\xe9"
        assert sys.stderr is None
