"""The commit and the uncommitted changes of the code, whatever the user's git is set to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TELL = "import sys; from study.provenance import changes, code; sys.stdout.write(f'{code()[\"git\"]}\\n{changes()}')"
PRELOAD = "import importlib.metadata as m; m.version = lambda name: ''; "  # a fifth of a second for what is not asked


def git(folder: Path, *words: str) -> str:
    env = {"HOME": str(folder), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    named = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", "-C", str(folder), *named, *words], check=True, capture_output=True, text=True, env=env
    ).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of the code that trains, as far as provenance looks at it."""
    root = tmp_path / "mine"
    for package in ("study", "wbc_model"):
        (root / package).mkdir(parents=True)
        (root / package / "__init__.py").touch()
    source = Path(__file__).parents[2] / "study" / "provenance.py"
    shutil.copy(source, root / "study" / "provenance.py")
    (root / "wbc_model" / "net.py").write_text("A = 1\nB = 2\n")
    (root / ".gitignore").write_text("__pycache__\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


def told(checkout: Path, **env: str) -> tuple[str, str]:
    """Commit and patch, as a process in that checkout finds them."""
    whole = os.environ | {"PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"} | env
    done = subprocess.run([sys.executable, "-c", PRELOAD + TELL], cwd=checkout, env=whole, capture_output=True,
                          check=True, text=True)  # fmt: skip
    commit, _, patch = done.stdout.partition("\n")
    return commit, patch


def edit(checkout: Path) -> None:
    (checkout / "wbc_model" / "net.py").write_text("A = 1\nB = 3\n")
    (checkout / "wbc_model" / "mine.py").write_text("X = 'é'\n")


def restored(checkout: Path, patch: str) -> dict[str, str]:
    """The sources of the commit with the patch applied."""
    other = checkout.parent / "other"
    shutil.rmtree(other, ignore_errors=True)
    git(checkout.parent, "clone", "-q", str(checkout), str(other))
    (other / "changes.patch").write_text(patch)
    git(other, "apply", "changes.patch")
    return {file.name: file.read_text() for file in (other / "wbc_model").glob("*.py")}


def config(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "config").write_text(text)
    return {"GIT_CONFIG_GLOBAL": str(tmp_path / "config")}


def foreign(tmp_path: Path) -> Path:
    other = tmp_path / "foreign"
    other.mkdir(exist_ok=True)
    git(other, "init", "-q")
    git(other, "commit", "-q", "--allow-empty", "-m", "x")
    return other


def test_a_clean_checkout_has_a_commit_and_no_patch(checkout: Path):
    assert told(checkout) == (git(checkout, "rev-parse", "--short=12", "HEAD").strip(), "")


SETTINGS = {
    "none": lambda _: {},
    "colour": lambda tmp: config(tmp, "[color]\n\tui = always\n"),
    "another tool": lambda tmp: config(tmp, "[diff]\n\texternal = echo hello\n"),
    "other prefixes": lambda tmp: config(tmp, "[diff]\n\tnoprefix = true\n"),
    "ignored files": lambda tmp: (
        (tmp / "ignore").write_text("*.py\n") and config(tmp, f"[core]\n\texcludesFile = {tmp}/ignore\n")
    ),
    "variables": lambda _: {"GIT_EXTERNAL_DIFF": "echo hello", "GIT_DIFF_OPTS": "-u0"},
    "another repository": lambda tmp: {"GIT_DIR": f"{foreign(tmp)}/.git"},
    "another tree": lambda tmp: {"GIT_DIR": f"{foreign(tmp)}/.git", "GIT_WORK_TREE": str(tmp / "foreign")},
    "another index": lambda tmp: {"GIT_INDEX_FILE": str(tmp / "no-such-index")},
    "an ASCII locale": lambda _: {"LC_ALL": "C", "PYTHONUTF8": "1"},
}  # fmt: skip


@pytest.mark.parametrize("how", SETTINGS)
def test_the_patch_makes_the_changed_sources_from_the_commit(how: str, checkout: Path, tmp_path: Path):
    edit(checkout)
    commit, patch = told(checkout, **SETTINGS[how](tmp_path))
    assert commit == git(checkout, "rev-parse", "--short=12", "HEAD").strip() + "-dirty"
    sources = restored(checkout, patch)
    assert (sources["net.py"], sources["mine.py"]) == ("A = 1\nB = 3\n", "X = 'é'\n")


@pytest.mark.parametrize("settings", [
    "[color]\n\tui = always\n", "[diff]\n\texternal = echo\n", "[status]\n\tshowUntrackedFiles = no\n",
    '[diff "x"]\n\ttextconv = echo\n', "[diff]\n\tmnemonicPrefix = true\n\trelative = true\n\tcontext = 0\n",
])  # fmt: skip
def test_neither_do_the_checkouts_own_settings_change_it(settings: str, checkout: Path):
    with (checkout / ".git" / "config").open("a") as file:
        file.write(settings)
    (checkout / ".git" / "info" / "attributes").write_text("*.py diff=x\n")
    (checkout / ".git" / "info" / "exclude").write_text("mine.py\n")
    edit(checkout)
    assert restored(checkout, told(checkout)[1])["mine.py"] == "X = 'é'\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_checkout_of_another_user_is_read(checkout: Path):
    edit(checkout)
    for file in [checkout, *checkout.rglob("*")]:
        os.chown(file, 1234, 1234)
    commit, patch = told(checkout)
    assert len(commit) == 12 + len("-dirty")
    assert "+++ b/wbc_model/mine.py" in patch


def test_the_users_own_index_is_left_as_it_is(checkout: Path):
    edit(checkout)
    before = (checkout / ".git" / "index").read_bytes()
    told(checkout)
    assert (checkout / ".git" / "index").read_bytes() == before


def test_a_copy_inside_another_repository_has_no_commit_and_says_so(checkout: Path, tmp_path: Path):
    copy = foreign(tmp_path) / "wbc"
    shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns(".git"))
    commit, line = told(copy)
    assert commit == "None"
    assert line == (f"# the commit of the code is unknown, and so are changes of it: {copy} lies in a git repository "
                    "that does not hold it\n")  # fmt: skip


@pytest.mark.parametrize(("break_it", "why"), [
    (lambda root: shutil.rmtree(root / ".git"), "not a git repository"),
    (lambda root: shutil.rmtree(root / ".git" / "objects"), "not a git repository"),
    (lambda root: (root / ".git" / "refs" / "heads" / "x").write_text("0" * 40) and
        (root / ".git" / "HEAD").write_text("ref: refs/heads/y\n"), "Needed a single revision|unknown revision"),
])  # fmt: skip
def test_without_a_commit_it_says_why(break_it, why: str, checkout: Path):
    break_it(checkout)
    commit, line = told(checkout)
    assert commit == "None"
    assert any(each in line for each in why.split("|")), line


def test_without_git_it_says_so(checkout: Path, tmp_path: Path):
    assert told(checkout, PATH=str(tmp_path)) == (
        "None",
        "# the commit of the code is unknown, and so are changes of it: git cannot be started "
        "([Errno 2] No such file or directory: 'git')\n",
    )
