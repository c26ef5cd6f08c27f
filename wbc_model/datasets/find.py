"""The image files of a dataset: class folders -> a list of files. Needs no torch."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from wbc_model.choices import ImageSource
from wbc_model.datasets.dataset import DataError, Dataset, Part

DRAWN_MARK = "DRAWN.txt"
"""A file of this name says that a data folder holds `synthetic`'s drawings."""


@dataclass(frozen=True)
class ImageFile:
    """One image file."""

    id: str
    """Path below the dataset's folder, with forward slashes: the same on every machine."""
    cell: str
    """Its class."""
    part: Part
    path: Path

    @property
    def size(self) -> int:
        """Bytes of the file; 0 where `lacking` says why there are none."""
        return 0 if self.lacking else self.path.stat().st_size

    @property
    def lacking(self) -> str:
        """Why there is nothing to read, such as a link whose content was never fetched; empty for a file."""
        if self.path.is_file():
            return ""
        return "is a link without content: fetch the file" if self.path.is_symlink() else "is no file"


def find(dataset: Dataset, root: Path) -> list[ImageFile]:
    """The files of a dataset below `root`, sorted by id.

    The folder of a class begins with the class's name as a word of its own, in any case and in the plural too
    (`EOSINOPHIL`, `neutrophils`, `Monocyte_crops`, but not `monoblast`). Everything in it and in its folders counts,
    links to folders included, whatever its name, but what is hidden. What is no image, or a link without content, is
    reported when it is read.

    Raises:
        DataError: the folder is missing or not laid out as the dataset says.
    """
    place = place_of(dataset, root)
    files = [file for part in dataset.parts for file in _part(dataset, place, part)]
    return sorted(files, key=lambda file: file.id)


def place_of(dataset: Dataset, root: Path) -> Path:
    """The folder that holds the parts of a dataset, and below which ids are paths.

    Raises:
        DataError: there is none.
    """
    bases = [root, *sorted(entry for entry in root.glob("*") if entry.is_dir())]
    for pattern, base in product(dataset.places, bases):
        for place in [base] if pattern == "." else sorted(base.glob(pattern)):
            if all((place / folder).is_dir() for folder in dataset.parts.values()):
                return place
    inside = ", ".join(sorted(entry.name for entry in root.iterdir())[:8]) if root.is_dir() else "no such folder"
    wanted = " and ".join(f"{dataset.places[0]}/{folder}".removesuffix("/.") for folder in dataset.parts.values())
    source = f"\n  Download it from {dataset.source}; docs/datasets.md shows its layout." if dataset.source else ""
    raise DataError(f"{dataset}: wanted {wanted} in {root}, found: {inside or 'nothing'}{source}")


def unused(dataset: Dataset, root: Path) -> Mapping[str, int]:
    """Folders beside those of the classes, below the dataset's folder, and how many files each holds."""
    place = place_of(dataset, root)
    found = {}
    for part in dataset.parts.values():
        homes = {home for of_class in _homes(dataset, place / part).values() for home in of_class}
        for folder in sorted(entry for entry in (place / part).iterdir() if entry.is_dir()):
            if folder not in homes and folder.name[0] != "." and (files := sum(1 for _ in content_of(folder))):
                found[folder.relative_to(place).as_posix()] = files
    return found


def require(places: Mapping[Dataset, Path]) -> None:
    """See that datasets can be found, each below its folder, without reading an image.

    Raises:
        DataError: naming every one that is missing, and where it comes from.
    """
    problems = []
    for dataset, root in places.items():
        try:
            find(dataset, root)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))


def kind_of(root: Path) -> ImageSource:
    """Whether a data folder holds published images or drawings."""
    return ImageSource.DRAWN if (root / DRAWN_MARK).exists() else ImageSource.PUBLISHED


def words(name: str) -> tuple[str, ...]:
    """Lower-case words and numbers of a folder's or class's name, without the plural's s."""
    return tuple(word.removesuffix("s") for word in re.findall(r"[^\W\d_]+|\d+", name.lower()))


def _part(dataset: Dataset, place: Path, part: Part) -> Iterator[ImageFile]:
    folder = place / dataset.parts[part]
    for cell, homes in _homes(dataset, folder).items():
        files = [file for home in homes for file in content_of(home)]
        if not files:
            wanted = dataset.folders.get(cell, cell)
            raise DataError(f"{dataset}: no images of the class {cell} in {folder}: wanted a folder {wanted}* of them")
        yield from (ImageFile(_id(file.relative_to(place)), cell, part, file) for file in files)


def _id(path: Path) -> str:
    """The path as text. Bytes of its name that are no UTF-8, such as a Latin-1 letter, are written as `\\xe9`."""
    return os.fsencode(path.as_posix()).decode(errors="backslashreplace")


def _homes(dataset: Dataset, folder: Path) -> Mapping[str, list[Path]]:
    """The folders of each class, in the order of the classes. A folder is of the class whose name fits it longest."""
    named = {cell: words(dataset.folders.get(cell, cell)) for cell in dataset.classes}
    homes: dict[str, list[Path]] = {cell: [] for cell in dataset.classes}
    for home in sorted(folder.iterdir()):
        fitting = [cell for cell, start in named.items() if words(home.name)[: len(start)] == start]
        if fitting and is_folder(home):
            homes[max(fitting, key=lambda cell: len(named[cell]))].append(home)
    return homes


def is_folder(entry: Path) -> bool:
    """Whether an entry is a folder or a link to one.

    Raises:
        DataError: it is a link that leads nowhere, and not named like a file: all images of a class may be missing.
    """
    if entry.is_symlink() and not (entry.exists() or entry.suffix or entry.name[0] == "."):
        raise DataError(f"{entry} is a link to {entry.readlink()}, which is not there: fetch it, or remove the link")
    return entry.is_dir()


def content_of(home: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder and not hidden. Links to folders are followed, each folder once."""
    here, seen, folders = home.resolve(), set(), [home]
    for start in folders:  # which grows: what is linked comes after what lies there
        for name, inside, files in os.walk(start, onerror=_raise):
            if (folder := Path(name)).resolve() in seen:
                inside.clear()
                continue
            seen.add(folder.resolve())
            inside[:] = sorted(each for each in inside if each[0] != ".")
            linked = [folder / each for each in inside if (folder / each).is_symlink()]
            folders += [link for link in linked if not here.is_relative_to(link.resolve())]  # up again: a circle
            yield from (folder / each for each in files if each[0] != ".")


def _raise(error: OSError) -> None:
    raise error
