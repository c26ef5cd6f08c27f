"""A dataset as a value: everything particular to it. Reads no file and loads no torch."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, TypeAdapter
from pydantic.dataclasses import dataclass

from wbc_model.errors import InputError

Part = Literal["all", "train", "test"]
"""What the authors split already: BCCD and Raabin come with a test set, LDWBC and LISC do not."""

_STRICT = ConfigDict(extra="forbid")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


class DataError(InputError):
    """Data that is missing, in another layout, of another kind or damaged. The message is for the user."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Groups:
    """Which images must not be parted, because they show one cell, slide or patient. Exactly one way is given."""

    pattern: str = ""
    """A regular expression, searched for in an image's id; what its first group matches names the image's group."""
    csv: str = ""
    """A CSV file below the dataset's folder with the columns `file` (an image's id) and `column`."""
    column: str = ""
    """The column of `csv` that names the group, such as `patient`."""
    photographs: tuple[str, ...] = ()
    """Folders of the photographs that the images are copies of; which one each shows is found by its pixels."""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.pattern, self.csv, self.photographs))) != 1:
            raise ValueError("groups need exactly one of pattern, csv and photographs")
        if bool(self.csv) != bool(self.column):
            raise ValueError("groups by csv need the column that names the group, and no other way has one")
        if _parentheses(self.pattern) != bool(self.pattern):
            raise ValueError(f"groups.pattern={self.pattern!r} needs exactly one pair of parentheses, about the group")


def _parentheses(pattern: str) -> int:
    try:
        return re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"groups.pattern={pattern!r} is no regular expression: {error}") from error


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Dataset:
    """Classes, where their images lie, and how they are cropped, split and augmented.

    Equal values are equal datasets. In a config's JSON a dataset of the paper is its name, any other is all that
    its declaration says, so that a worker, a record and a notebook need no file to know it.
    """

    name: str
    """Lower-case; part of the id of every trial on it."""
    classes: tuple[str, ...]
    """In the order of the logits and of the tables' columns."""
    label: str = ""
    """In tables; empty: the name."""
    source: str = ""
    """Where to get it, for the message that it is missing."""
    terms: str = ""
    """Its licence, for the model cards and docs."""
    places: tuple[str, ...] = (".",)
    """Patterns of folders, below the data folder or one level deeper, that may hold the parts; most exact first."""
    parts: Mapping[Part, str] = Field(default_factory=lambda: {"all": "."})
    """The folder of each part; `{"train": "TRAIN", "test": "TEST"}` where the authors fixed a test set."""
    folders: Mapping[str, str] = Field(default_factory=dict)
    """Class -> how its folder's name begins, where it does not begin with the class's own name."""
    published: Mapping[Part, Mapping[str, int]] = Field(default_factory=dict)
    """Images per part and class as published (Table 1), shown beside what is found; empty: unknown."""
    sizes: tuple[int, int, int] | None = None
    """Images that train, validate and test (Table 2), where exactly so many are found. Else 3:1:1 of all, or 3:1
    beside the authors' test set."""
    crop: Literal["none", "mask", "segment"] = "none"
    """How the cell is cut out of a picture: not at all, by the bounding box of a mask, or by segmentation."""
    mask: str = ""
    """For `crop="mask"`: the mask's path relative to the image's folder, with `{folder}` and `{stem}`."""
    groups: Groups | None = None
    """What an image is of, for `split=source_grouped` and the audit; None: nobody can tell."""
    copies: Literal["none", "largest"] | Annotated[int, Field(gt=0, strict=True)] = "largest"
    """What `augmentation=paper` means here: no copies, classes as large as the largest, or at least so many each."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name={self.name!r} needs lower-case letters, digits, '.', '_' and '-' alone")
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes={list(self.classes)}: a dataset needs two classes or more, each once")
        if unknown := set(self.folders) - set(self.classes):
            raise ValueError(f"folders names classes that there are not: {', '.join(sorted(unknown))}")
        if set(self.parts) not in ({"all"}, {"train", "test"}):
            raise ValueError(f"parts={dict(self.parts)} needs either all, or train and test")
        if bool(self.mask) != (self.crop == "mask"):
            raise ValueError('crop="mask" needs mask, the path of an image\'s mask, and no other crop has one')

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """What tables call it."""
        return self.label or self.name

    @property
    def of_copies(self) -> bool:
        """Whether its images are copies of fewer photographs, and so not independent."""
        return self.groups is not None and bool(self.groups.photographs)

    def mask_of(self, picture: Path) -> Path:
        """The mask that belongs to a picture, for `crop="mask"`."""
        return picture.parent / self.mask.format(folder=picture.parent.name, stem=picture.stem)

    def identity(self) -> str | dict[str, Any]:
        """What tells it from another dataset in an id: all that changes a training on it."""
        found = to_json(self)
        return found if isinstance(found, str) else {k: v for k, v in found.items() if k not in _TOLD_ONLY}

    @property
    def fingerprint(self) -> str:
        """A hash of its declaration, as far as it changes a training."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()[:16]


def letters(classes: Sequence[str]) -> tuple[str, ...]:
    """The heading of each class's column: unique, and one letter where that can be (B M E N L)."""
    found = tuple(_letter(name, [other for other in classes if other != name]) for name in classes)
    return found if len(set(found)) == len(found) else tuple(map(str.capitalize, classes))


def _letter(name: str, others: Sequence[str]) -> str:
    """The initials of several words or the shortest beginning, whichever is the first that no other class shares."""
    initials = _initials(name)
    if len(initials) > 1 and initials not in map(_initials, others):
        return initials
    beginnings = (name[:n] for n in range(1, len(name)))
    return next((start for start in beginnings if not any(o.startswith(start) for o in others)), name).capitalize()


def _initials(name: str) -> str:
    return "".join(word[0].upper() for word in re.findall(r"[^\W_]+", name))


def is_built_in(dataset: Dataset) -> bool:
    """Whether it is one of those that are known by name, as it is declared here."""
    return dataset.name in BUILT_IN and dataset == by_name(dataset.name)


_TOLD_ONLY = ("label", "source", "terms", "published")
"""Fields that change no training."""

PAPER = ("ldwbc", "lisc", "bccd", "raabin")
"""The datasets of Table 1, in its order: those that `test_on=all` means."""
BUILT_IN = (*PAPER,)
"""Those that are known by name; `wbc_model/datasets/<name>.py` declares each."""


def by_name(name: str) -> Dataset:
    """A dataset of the paper.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in BUILT_IN:
        raise ValueError(f"no dataset {name}: there are {', '.join(BUILT_IN)}, and your own with --dataset FOLDER")
    return import_module(f"{__package__}.{name}").DATASET


def to_json(dataset: Dataset) -> str | dict[str, Any]:
    """The name of a dataset of the paper; of another, every field that is not the default."""
    if is_built_in(dataset):
        return dataset.name
    return _DATASET.dump_python(dataset, mode="json", exclude_defaults=True)


def _from_json(value: Any) -> Any:
    return by_name(value) if isinstance(value, str) else value


DatasetField = Annotated[Dataset, BeforeValidator(_from_json), PlainSerializer(to_json)]
"""A dataset within a config; its JSON is that of `to_json`."""

_DATASET: TypeAdapter[Dataset] = TypeAdapter(Dataset)
