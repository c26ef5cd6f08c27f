"""The layers of docs/architecture.md, and what every file must keep to."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def tool(*words: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / words[0], *words[1:]]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_each_package_imports_only_from_those_on_its_left():
    done = tool("lint-imports", "--no-cache")
    assert done.returncode == 0, done.stdout


def test_style():
    for words in (("ruff", "check", "--no-cache"), ("ruff", "format", "--check", "--no-cache")):
        done = tool(*words)
        assert done.returncode == 0, done.stdout


def test_types():
    done = tool("pyrefly", "check")
    assert done.returncode == 0, done.stdout


def test_requirements_pin_every_dependency_and_name_no_index():
    text = (ROOT / "requirements.txt").read_text()
    assert "://" not in text
    pins = [line for line in text.splitlines() if "==" in line]
    assert len(pins) > 80
    assert text.count("--hash=sha256:") > len(pins)
