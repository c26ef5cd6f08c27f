"""The part of a record's provenance that describes the code."""

import hashlib
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TRAINING_CODE = ("wbc_model", "study")
PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "ray", "wandb")


@cache
def code() -> dict[str, Any]:
    """Commit (with `-dirty` for uncommitted changes), hash of the sources, and versions of the packages."""
    versions = {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}
    return {"git": _commit(), "code": sources_hash(), "versions": versions}


def sources_hash() -> str:
    """Hash of the code that trains."""
    sources = [file for package in TRAINING_CODE for file in sorted((ROOT / package).rglob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:16]


@cache
def changes() -> str:
    """Uncommitted changes of the sources as a patch; empty if there are none, or outside a git checkout."""
    return _git("diff", "HEAD", "--", *TRAINING_CODE) or ""


def _commit() -> str | None:
    return (_git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*") or "").strip() or None


def _git(*words: str) -> str | None:
    """Output of git; None outside a git checkout."""
    try:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
