"""Calls and counts as rows of CSV files and JSON lines."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wbc_model.inference.calls import Call
from wbc_model.inference.differential import Count
from wbc_model.inference.model_info import ModelInfo
from wbc_model.plain_text import csv_cell

ALL = "(all)"
"""Stands for the slide in the rows that count all pictures."""


def json_line(call: Call, info: ModelInfo) -> str:
    """A call as one line of JSON. `box` is null where the whole picture is the cell."""
    return json.dumps(
        {
            "file": call.file,
            "box": call.box,
            "class": call.cell,
            "probability": call.probability,
            "sure": call.sure,
            "probabilities": dict(zip(info.config.dataset.classes, call.probabilities, strict=True)),
            "rehearsal": info.config.rehearsal,
        },
        ensure_ascii=False,
    )


def write_calls(path: Path, calls: Iterable[Call], info: ModelInfo) -> None:
    """A CSV file with a row for each call. The sides of the box are empty where the whole picture is the cell."""
    classes = info.config.dataset.classes
    sides = ("left", "top", "right", "bottom")
    head = ("file", *sides, "class", "probability", "sure", *(f"p {cell}" for cell in classes), "rehearsal")
    _write(path, head, (
        (call.file, *(call.box or ("",) * 4), call.cell, call.probability, call.sure, *call.probabilities,
         info.config.rehearsal)
        for call in calls
    ))  # fmt: skip


def write_counts(path: Path, whole: Count, slides: Mapping[str, Count]) -> None:
    """A CSV file with a row for each slide and class; first all slides together."""
    head = ("slide", "pictures", "class", "cells", "unsure", "percent", "low", "high",
            "reference low", "reference high", "rehearsal")  # fmt: skip
    named = [(ALL, whole), *slides.items()]
    _write(path, head, (row for slide, of_slide in named for row in _rows(slide, of_slide)))


def _rows(slide: str, counted: Count) -> Iterator[tuple[Any, ...]]:
    for share in counted.shares:
        yield (slide, counted.pictures, share.cell, share.cells, share.unsure, share.percent, *share.interval,
               *(share.reference or ("", "")), counted.rehearsal)  # fmt: skip


def _write(path: Path, head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerows([csv_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in (head, *rows))
