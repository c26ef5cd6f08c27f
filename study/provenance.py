"""The part of a record's provenance that describes the code.

The user's settings of git are set aside, because they change what it prints and which repository it looks at.
"""

import hashlib
import os
import platform
import subprocess
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TRAINING_CODE = ("wbc_model", "study")
PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "ray", "wandb")
TRUSTED = "[safe]\n\tdirectory = *\n"
"""Git refuses a checkout of another user unless told so. Python runs this one already, so reading it adds no risk."""
AS_PATCH = ("--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative",
            "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short", "--unified=3")  # fmt: skip
"""Options of `git diff` with which its output can be applied, whatever the checkout's own settings say."""


class NoCommit(Exception):
    """There is no commit that holds the code; the message says why."""


@cache
def code() -> dict[str, Any]:
    """Commit (with `-dirty` for uncommitted changes), hash of the sources, and versions of the packages."""
    versions = {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}
    try:
        commit, patch, modified = _state()
        git = commit + ("-dirty" if patch or modified else "")
    except NoCommit:
        git = None
    return {"git": git, "code": sources_hash(), "versions": versions}


def sources_hash() -> str:
    """Hash of the code that trains."""
    sources = [file for package in TRAINING_CODE for file in sorted((ROOT / package).rglob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:16]


def changes() -> str:
    """Uncommitted changes of the training code, new files included, as a patch; empty if there are none.

    Without a commit to which a patch could be applied, it is one line that says why. Bytes that are no UTF-8 are
    surrogates, as in file names.
    """
    return f"# {reason}\n" if (reason := no_commit()) else _state()[1]


def no_commit() -> str:
    """Why the commit of the code is unknown; empty if it is known."""
    try:
        _state()
    except NoCommit as error:
        return f"the commit of the code is unknown, and so are changes of it: {error}"
    return ""


@cache
def _state() -> tuple[str, str, bool]:
    """The commit, the patch of the training code, and whether any tracked file differs from the commit.

    Raises:
        NoCommit: there is no git, no commit, or only one of a repository that does not hold this code.
    """
    with tempfile.TemporaryDirectory(prefix="wbc-git-") as home:
        (Path(home) / ".gitconfig").write_text(TRUSTED)
        commit = _git("rev-parse", "--short=12", "HEAD", home=home).strip()
        if not _git("ls-tree", "HEAD", "--", "study/provenance.py", home=home):
            raise NoCommit(f"{ROOT} lies in a git repository that does not hold it")
        _git("read-tree", "HEAD", home=home)  # an index of our own, so that new files can be added to it
        new = [f":(glob){package}/**/*.py" for package in TRAINING_CODE]
        _git("add", "--intent-to-add", "--force", "--", *new, home=home)
        patch = _git("diff", *AS_PATCH, "HEAD", "--", *TRAINING_CODE, home=home)
        return commit, patch, bool(_git("diff", "--name-only", "--no-ext-diff", "HEAD", home=home))


def _git(*words: str, home: str) -> str:
    """Output of git with the settings in `home` and no others of the user or the machine."""
    ours = {"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1",
            "GIT_INDEX_FILE": f"{home}/index", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}  # fmt: skip
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | ours
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], env=env, capture_output=True, check=True)
    except OSError as error:
        raise NoCommit(f"git cannot be started ({error})") from error
    except subprocess.CalledProcessError as error:
        told = error.stderr.decode(errors="replace").strip() or f"git ended with {error.returncode}"
        raise NoCommit(told.splitlines()[0]) from error
    return done.stdout.decode(errors="surrogateescape")
