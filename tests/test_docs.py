"""The worked examples of docs/extending.md, applied to a copy of the project, and run there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("wbc_model", "search_spaces", "study", "analysis", "tests", "pyproject.toml", "requirements.txt")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.+?)(?=^## |\Z)", (ROOT / "docs" / "extending.md").read_text(), re.M | re.S))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in PARTS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    return tmp_path


def apply(root: Path, diff: str) -> None:
    """Apply a diff whose hunks have no line numbers: each puts its `+` lines where its other lines stand, once."""
    for name, body in re.findall(r"^\+\+\+ b/(\S+)\n(.+?)(?=^--- |\Z)", diff, re.M | re.S):
        for hunk in re.split(r"^@@\n", body, flags=re.M)[1:]:
            lines = hunk.splitlines()
            old = "\n".join(line[1:] for line in lines if line[:1] in (" ", "-"))
            new = "\n".join(line[1:] for line in lines if line[:1] in (" ", "+"))
            file = root / name
            text = file.read_text() if file.exists() else ""
            assert text.count(f"{old}\n") == 1 or not text, (name, old)
            file.write_text(text.replace(f"{old}\n", f"{new}\n", 1) if text else f"{new}\n")


@pytest.mark.slow
@pytest.mark.parametrize("title", SECTIONS)
def test_a_worked_example_does_what_it_says(title: str, project: Path):
    section = SECTIONS[title]
    (diff,) = re.findall(r"^```diff\n(.+?)^```", section, re.M | re.S)
    apply(project, diff)
    commands = re.findall(r"^    python (.+)$", section, re.M)
    assert commands
    for command in commands:
        words = [sys.executable, *command.split()]
        done = subprocess.run(words, cwd=project, env={"PYTHONPATH": str(project), "PATH": "/usr/bin:/bin"},
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, (command, done.stdout[-2000:] + done.stderr[-2000:])
        if "--plan" in command:
            number = command.split("--tables ")[-1].split()[0] if "--tables" in command else "D1"
            assert re.search(rf"^Table {number}: .* [1-9]\d* ", done.stdout, re.M), done.stdout


def test_every_file_that_the_docs_name_exists():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {
        name
        for page in pages
        for name in re.findall(r"`((?:wbc_model|search_spaces|study|analysis|tests|cluster)/[^` ]*)`", page.read_text())
    }
    assert [
        name for name in sorted(named) if not list(ROOT.glob(name.rstrip("/").replace("{", "[").replace("}", "]")))
    ] == []
