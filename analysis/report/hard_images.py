"""A page for each dataset: the test images that most trained models get wrong, and what each model calls them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from analysis.load import Study
from analysis.report.links import FOLDER
from analysis.report.templates import TEMPLATES
from analysis.report.trial_pages import without_pictures
from analysis.runs.pictures import Pictures, save_picture
from analysis.runs.predictions import of_record
from analysis.tables.notes import REHEARSAL_NOTE
from study.plan import RunRecord
from wbc_model.datasets.dataset import Dataset
from wbc_model.plain_text import counted
from wbc_model.scoring.predictions import Predictions

MOST = 48
"""Images listed of each dataset."""
FEWEST = 2
"""Trials; what fewer are wrong about is on the trials' own pages."""


class Call(NamedTuple):
    """What a trial makes of an image."""

    row: str
    """The row that the trial is in."""
    called: str
    probability: float
    """Of the true class."""


@dataclass(frozen=True)
class HardImage:
    """A test image and what the trials that were tested on it call it."""

    name: str
    cell: str
    """Its true class."""
    calls: Sequence[Call]

    @property
    def wrong(self) -> int:
        """Trials that are wrong about it."""
        return sum(call.called != self.cell for call in self.calls)

    @property
    def shares(self) -> list[tuple[str, int]]:
        """What it is called, and by how many trials, the most usual first."""
        return Counter(call.called for call in self.calls).most_common()

    @property
    def rows(self) -> dict[str, list[str]]:
        """What the trials of each row call it."""
        rows: dict[str, list[str]] = defaultdict(list)
        for call in self.calls:
            rows[call.row].append(call.called)
        return rows


class Page(NamedTuple):
    """A page that was written."""

    title: str
    """The dataset's."""
    address: str
    """From the report."""
    images: int
    """Most trials are wrong about so many."""

    @property
    def told(self) -> str:
        """`1 image of LISC`."""
        return f"{counted(self.images, 'image')} of {self.title}"


def hard_images(tested: Sequence[tuple[str, Predictions]]) -> list[HardImage]:
    """Those that more than half of the trials get wrong, and at least `FEWEST` of them.

    First come those that the largest share gets wrong, then those with the lowest probability of the true class.

    Args:
        tested: of each trial, the row that it is in and its predictions.
    """
    calls: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for row, one in tested:
        called, each = one.called, range(len(one.truth))
        true = one.probabilities[each, one.truth]
        for i in each:
            cell = one.classes[one.truth[i]]
            calls[str(one.ids[i]), cell].append(Call(row, one.classes[called[i]], float(true[i])))
    images = [HardImage(name, cell, found) for (name, cell), found in calls.items()]
    hard = [image for image in images if image.wrong >= FEWEST and 2 * image.wrong > len(image.calls)]
    return sorted(hard, key=_order)


def _order(image: HardImage) -> tuple[float, float, str]:
    probability = sum(call.probability for call in image.calls) / len(image.calls)
    return -image.wrong / len(image.calls), probability, image.name


def write(study: Study, *, rows: Mapping[str, Sequence[str]], pictures: Pictures, out: Path) -> list[Page]:
    """Write a page for each dataset that has such images.

    Args:
        rows: by trial id, the rows of tables that it is in.
    """
    runs: dict[Dataset, list[RunRecord]] = defaultdict(list)
    for trial_id in rows:
        run = study.reading.runs[trial_id].record
        runs[run.trial.config.dataset].append(run)
    pages = (_write(study, dataset, of, rows, pictures, out) for dataset, of in runs.items())
    return [page for page in pages if page]


def _write(
    study: Study, dataset: Dataset, runs: Sequence[RunRecord], rows: Mapping[str, Sequence[str]], pictures: Pictures,
    out: Path,
) -> Page | None:  # fmt: skip
    kept = [(rows[run.trial.id][0], of_record(run, study.reading.predictions)) for run in runs]
    tested = [(row, predictions) for row, predictions in kept if predictions]
    if not (found := hard_images(tested)):
        return None
    config, data = runs[0].trial.config, str(runs[0].provenance.get("data"))
    shown = [image.name for image in found[:MOST]]
    at = dict(pictures.of(dataset, shown, side=config.image_size, fingerprint=data))
    text = TEMPLATES.get_template("hard.html").render(
        title=dataset.title,
        images=found[:MOST],
        found=len(found),
        trials=len(tested),
        pictures={name: save_picture(content, out / FOLDER) for name, content in at.items()},
        without=without_pictures(runs[0]) if set(shown) - set(at) else "",
        rehearsal=REHEARSAL_NOTE if config.rehearsal else "",
    )
    page = Page(dataset.title, f"{FOLDER}/dataset-{dataset.name}.html", len(found))
    (out / FOLDER).mkdir(exist_ok=True)
    (out / page.address).write_text(text, encoding="utf-8")
    return page
