"""The layers of docs/architecture.md, and what every file must keep to."""

import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("wbc_model", "search_spaces", "study", "analysis")


def tool(*words: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / words[0], *words[1:]]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.lint
def test_each_package_imports_only_from_those_on_its_left():
    done = tool("lint-imports", "--no-cache")
    assert done.returncode == 0, done.stdout


def test_no_module_imports_itself_by_way_of_others():
    graph = grimp.build_graph(*PACKAGES)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError with the circle


@pytest.mark.parametrize("package", PACKAGES)
def test_no_floor_has_more_than_20_entries(package: str):
    folders = (path for path in (ROOT / package).rglob("*") if path.is_dir() and path.name != "__pycache__")
    for folder in (ROOT / package, *folders):
        entries = [path.name for path in folder.iterdir() if not path.name.startswith("__")]
        assert len(entries) <= 20, (folder, sorted(entries))


@pytest.mark.lint
def test_style():
    for words in (("ruff", "check", "--no-cache"), ("ruff", "format", "--check", "--no-cache")):
        done = tool(*words)
        assert done.returncode == 0, done.stdout


@pytest.mark.lint
def test_types():
    done = tool("pyrefly", "check")
    assert done.returncode == 0, done.stdout


def test_requirements_pin_every_dependency_and_name_no_index():
    text = (ROOT / "requirements.txt").read_text()
    assert "://" not in text
    pins = [line for line in text.splitlines() if "==" in line]
    assert len(pins) > 80
    assert text.count("--hash=sha256:") > len(pins)
