"""What must not be parted between sets: the cell, slide or patient that each image shows. Needs no torch."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from wbc_model.choices import ImageSource
from wbc_model.datasets.dataset import DataError, Dataset
from wbc_model.datasets.find import ImageFile, kind_of, place_of
from wbc_model.datasets.photographs import origins
from wbc_model.plain_text import counted


def groups_of(
    dataset: Dataset, files: Sequence[ImageFile], *, data: Path, cache: Path, workers: int | None = None
) -> dict[str, str]:
    """The name of the group of each image, by its id.

    Matching copies to photographs by their pixels takes some minutes the first time and is kept in `cache`.

    Raises:
        DataError: the dataset does not say what its groups are, or an image's cannot be told.
    """
    rule = dataset.groups
    if rule is None:
        raise DataError(f"{dataset} does not say which images are of one slide or patient: its value has no `groups`")
    if rule.photographs and kind_of(data) is ImageSource.DRAWN:  # every drawing shows a cell of its own
        return {file.id: file.id for file in files}
    if rule.photographs:
        found = origins(files, folders=rule.photographs, data=data, cache=cache, workers=workers)
        return found.cells()
    if rule.csv:
        return _by_column(dataset, files, place_of(dataset, data) / rule.csv, column=rule.column)
    return {file.id: _by_pattern(dataset, file, rule.pattern) for file in files}


def _by_pattern(dataset: Dataset, file: ImageFile, pattern: str) -> str:
    if (match := re.search(pattern, file.id)) is None:
        raise DataError(f"{dataset}: {file.id} names no group: groups.pattern is {pattern}")
    return match[1]


def _by_column(dataset: Dataset, files: Sequence[ImageFile], path: Path, *, column: str) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows: list[Mapping[str, str]] = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{dataset}: groups.csv: {error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{dataset}: {path} is no CSV file in UTF-8: {error}") from error
    if rows and not {"file", column} <= set(rows[0]):
        raise DataError(f"{dataset}: {path} has the columns {', '.join(rows[0])}; wanted file and {column}")
    named = {row["file"]: row[column] for row in rows if row[column]}
    if lacking := [file.id for file in files if file.id not in named]:
        raise DataError(
            f"{dataset}: {path} names no {column} of {counted(len(lacking), 'image')}, the first is {lacking[0]}"
        )
    return {file.id: named[file.id] for file in files}
