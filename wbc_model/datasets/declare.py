"""A user's own dataset: a folder of class folders, and as much of a declaration as it needs. Loads no torch."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from wbc_model.datasets.dataset import BUILT_IN, Dataset, by_name
from wbc_model.datasets.find import content_of, is_folder, words
from wbc_model.errors import InputError, validating
from wbc_model.files import user_path

LONGEST_NAME = 64
"""Characters in the name of a dataset, which is part of file names and a tag in W&B."""
FILE = "dataset.toml"
"""The declaration's name in a dataset's folder."""


def declare(given: str) -> tuple[Dataset, Path | None]:
    """The dataset that a command names: a folder, a declaration in one (`.toml`), or one of the paper's by its name.

    Args:
        given: `PATH`, or `NAME=PATH` to call it otherwise than its folder.

    Returns:
        The dataset, and the path; None for one of the paper's, which is found below `--data`.

    Raises:
        InputError: there is no such folder, or its declaration is wrong.
    """
    if given.lower() in BUILT_IN:
        return by_name(given.lower()), None
    named = None if user_path(given).exists() else re.fullmatch(r"([^/=]*)=(.*)", given)
    name, path_text = named.groups() if named else ("", given)
    path = user_path(path_text).absolute()
    folder = path.parent if path.suffix == ".toml" else path
    if not folder.is_dir() or (path.suffix == ".toml" and not path.is_file()):
        raise InputError(f"dataset {given}: no such folder or declaration; the paper's are {', '.join(BUILT_IN)}")
    dataset = read(path, **({"name": name} if named else {}))
    if len(dataset.name) > LONGEST_NAME:
        raise InputError(f"dataset {given}: its name is longer than {LONGEST_NAME} characters; call it NAME={path}")
    if dataset.name in BUILT_IN:
        raise InputError(f"dataset {given}: {dataset.name} is one of the paper's; call yours otherwise: NAME={path}")
    return dataset, path


def read(path: Path, **known: str) -> Dataset:
    """The dataset of a folder, or of a declaration in it.

    Raises:
        InputError: a declaration that cannot be read, an unknown key, a bad value, or no class folders.
    """
    folder = path.parent if path.suffix == ".toml" else path
    file = path if path.suffix == ".toml" else path / FILE
    declared: dict[str, Any] = (_toml(file) if file.exists() else {}) | known
    declared.setdefault("name", re.sub(r"[^a-z0-9._-]+", "-", folder.name.lower()).strip("-._")[:LONGEST_NAME] or "own")
    if "classes" not in declared:
        declared["classes"] = _classes(folder, declared.get("parts", {"all": "."}))
    with validating(str(file) if file.exists() else str(folder)):
        return _DATASET.validate_python(declared)


def all_of(given: Sequence[str]) -> dict[Dataset, Path | None]:
    """What several `--dataset` name, in their order.

    Raises:
        InputError: two of one name.
    """
    found = list(map(declare, dict.fromkeys(given)))
    names = [dataset.name for dataset, _ in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"two datasets are called {', '.join(sorted(twice))}: name them, --dataset NAME=PATH")
    return dict(found)


def folder_of(path: Path | None, *, data: Path | None) -> Path:
    """The folder below which a dataset lies that `declare` has read.

    Args:
        path: what `declare` returned with it; None: it is one of the paper's.
        data: the folder of the paper's datasets.

    Raises:
        InputError: it is one of the paper's, and there is no `data`.
    """
    place = path or data
    if place is None:
        raise InputError("the paper's datasets need --data DIR, the folder that they are in")
    return place.parent if place.suffix == ".toml" else place


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is no TOML: {error}") from error


def _classes(folder: Path, parts: Mapping[str, str]) -> list[str]:
    """The lower-case names of the class folders, which hold at least one file, in the order of the alphabet."""
    homes = [home for part in parts.values() for home in (folder / part).glob("*") if is_folder(home)]
    names = {home.name.lower() for home in homes if home.name[0] != "." and next(content_of(home), None)}
    if odd := [name for name in names if not name.isprintable()]:
        raise InputError(f"{folder}: the name of the class folder {min(odd)!r} is no printable UTF-8: rename it")
    by_words = {words(name): name for name in sorted(names)}
    if len(by_words) < 2 or len(by_words) < len(names):
        raise InputError(
            f"{folder}: wanted a folder of images for each class, two or more with different names; found: "
            f"{', '.join(sorted(names)) or 'none'}. Where they lie elsewhere, {FILE} in it tells (docs/own-data.md)"
        )
    return sorted(names)


_DATASET: TypeAdapter[Dataset] = TypeAdapter(Dataset)
