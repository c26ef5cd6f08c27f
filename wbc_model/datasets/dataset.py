"""The four datasets as their authors publish them: folders of class folders -> a list of samples. Needs no torch."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from wbc_model.choices import CELLS, Dataset, ImageSource
from wbc_model.errors import InputError

Part = Literal["all", "train", "test"]
"""What the authors split already: BCCD and Raabin come with a test set, LDWBC and LISC do not."""

DRAWN_MARK = "DRAWN.txt"
"""A file of this name says that a data folder holds `synthetic`'s drawings."""


class DataError(InputError):
    """Data that is missing, in another layout, of another kind or damaged. The message is for the user."""


@dataclass(frozen=True)
class ImageFile:
    """One image file."""

    id: str
    """Path below the dataset's folder, with forward slashes: the same on every machine."""
    cell: str
    part: Part
    path: Path


@dataclass(frozen=True)
class Layout:
    """Where a dataset's class folders lie, how many images they hold, and where to get it."""

    source: str
    places: tuple[str, ...]
    """Folders below `--data` (or one level deeper) that may hold the parts; patterns, most exact first."""
    parts: Mapping[Part, str]
    counts: Mapping[Part, Mapping[str, int]]
    """Images as published: cell type -> number, per part. They sum to Table 1."""


def _counts(b: int, m: int, e: int, n: int, l: int) -> dict[str, int]:  # noqa: E741 - the tables' order and letters
    return {cell: count for cell, count in zip(CELLS, (b, m, e, n, l), strict=True) if count}


LAYOUTS: Mapping[Dataset, Layout] = {
    Dataset.LDWBC: Layout(
        source="the authors' page at Wuhan University (Chen et al. 2022, availability of data)",
        places=("LDWBC",),
        parts={"all": "."},
        counts={"all": _counts(224, 968, 539, 10469, 10445)},
    ),
    Dataset.LISC: Layout(
        source="the LISC page of its authors (Rezatofighi and Soltanian-Zadeh 2011); free for research",
        places=("LISC Database/Main Dataset", "Main Dataset"),
        parts={"all": "."},
        counts={"all": _counts(53, 48, 39, 50, 52)},
    ),
    Dataset.BCCD: Layout(
        source="Kaggle, paultimothymooney/blood-cells",
        places=("dataset2-master/dataset2-master/images", "dataset2-master/images", "images"),
        parts={"train": "TRAIN", "test": "TEST"},
        counts={"train": _counts(0, 2478, 2497, 2499, 2483), "test": _counts(0, 620, 623, 624, 620)},
    ),
    Dataset.RAABIN: Layout(
        source="raabindata.com, the double-labelled cropped cells: Train and Test-A",
        places=("Raabin*", "."),
        parts={"train": "Train", "test": "TestA"},
        counts={"train": _counts(212, 561, 744, 6231, 2427), "test": _counts(89, 234, 322, 2660, 1034)},
    ),
}


def find(dataset: Dataset, root: Path) -> list[ImageFile]:
    """The samples of a dataset below `root`, sorted by id.

    A class folder is one whose name begins like the cell type's (`Baso`, `eosi`, `EOSINOPHIL`, `Monocyte_crops`).
    Every file in it is a sample, whatever its name, but hidden ones; what is no image will be told when it is read.

    Raises:
        DataError: the folder is missing or not in the published layout.
    """
    place = _place(dataset, root)
    samples = [sample for part in LAYOUTS[dataset].parts for sample in _part(dataset, place, part)]
    return sorted(samples, key=lambda sample: sample.id)


def require(datasets: Iterable[Dataset], root: Path) -> None:
    """See that datasets can be found, without reading an image.

    Raises:
        DataError: naming every one that is missing, and where it comes from.
    """
    problems = []
    for dataset in datasets:
        try:
            find(dataset, root)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))


def kind_of(root: Path) -> ImageSource:
    """Whether a data folder holds published images or drawings."""
    return ImageSource.DRAWN if (root / DRAWN_MARK).exists() else ImageSource.PUBLISHED


def _place(dataset: Dataset, root: Path) -> Path:
    layout = LAYOUTS[dataset]
    bases = [root, *sorted(entry for entry in root.glob("*") if entry.is_dir())]
    for pattern, base in product(layout.places, bases):
        for place in [base] if pattern == "." else sorted(base.glob(pattern)):
            if all((place / folder).is_dir() for folder in layout.parts.values()):
                return place
    inside = ", ".join(sorted(entry.name for entry in root.iterdir())[:8]) if root.is_dir() else "no such folder"
    wanted = " and ".join(f"{layout.places[0]}/{folder}".removesuffix("/.") for folder in layout.parts.values())
    raise DataError(
        f"{dataset}: wanted {wanted} in {root}, found: {inside or 'nothing'}\n"
        f"  to be had from {layout.source}; docs/datasets.md has its layout"
    )


def _part(dataset: Dataset, place: Path, part: Part) -> Iterator[ImageFile]:
    folder = place / LAYOUTS[dataset].parts[part]
    for cell in dataset.cells:
        homes = [home for home in sorted(folder.iterdir()) if home.is_dir() and home.name.lower().startswith(cell[:4])]
        files = [f for home in homes for f in home.rglob("*") if f.is_file() and not f.name.startswith(".")]
        if not files:
            raise DataError(
                f"{dataset}: no images of the cell type {cell} in {folder}: wanted a folder {cell}* of them"
            )
        yield from (ImageFile(file.relative_to(place).as_posix(), cell, part, file) for file in files)
