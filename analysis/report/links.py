"""Where a report finds what is kept of a trial: its model, and the page of the images that it got wrong."""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from upath import UPath

from analysis.load import Study
from study.plan import RunRecord
from study.storage import listed
from wbc_model.inference.model_info import CARD, FILE

FOLDER = "misclassified"
"""Of the trials' pages, beside `report.html`."""
KEPT = {FILE: "trained model", CARD: "model card"}
"""Files that a trial leaves beside its record, in words."""


@dataclass(frozen=True)
class Link:
    """A link; or, where `address` is empty, text that names a place which a browser cannot open."""

    text: str
    address: str


def links_of(study: Study, *, start: Path, pages: Sequence[str] = ()) -> dict[str, list[Link]]:
    """By trial id, links to its page and to the files that are kept of it.

    Args:
        start: the folder of the file that has the links; those to a local storage are relative to it.
        pages: names of the trials' pages, from `start`.
    """
    found: dict[str, list[Link]] = defaultdict(list)
    for run in study.reading.records:
        page = f"{FOLDER}/{run.trial.id}.html"
        if page in pages:
            found[run.trial.id].append(Link(f"{_errors(run)} test images wrong", page))
    if study.storage is not None:
        for name, told in KEPT.items():
            for file in listed(study.storage, f"trials/*/{name}"):
                found[file.parent.name].append(_link(file, told, start=start))
    return dict(found)


def _errors(run: RunRecord) -> str:
    """`12 of 528`, over all its test sets."""
    total = sum(matrix.images for matrix in run.tests.values())
    right = sum(matrix.right for matrix in run.tests.values())
    return f"{total - right} of {total}"


def _link(file: UPath, told: str, *, start: Path) -> Link:
    if file.protocol:  # an object store, whose URLs commands of this project take and browsers do not
        return Link(f"{told}: {file}", "")
    return Link(told, quote(os.path.relpath(str(file), start)))
