"""A page for each trial: the test images that it got wrong, the most wrong first, and what is kept of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from analysis.load import Study
from analysis.report.links import FOLDER, links_of
from analysis.report.templates import TEMPLATES
from analysis.report.wrong_images import TrueClass, true_classes
from analysis.runs.pictures import Pictures, gradcam, save_picture
from analysis.runs.predictions import of_record
from analysis.tables.notes import REHEARSAL_NOTE
from study.plan import RunRecord
from wbc_model.choices import ImageSource

NO_PICTURES = (
    "Images without a picture are neither in this machine's cache nor, as they were tested, in the data folder. To see "
    "them, print again on the machine that ran the study, or with --storage STORAGE and --data DIR, {folder}."
)


@dataclass(frozen=True)
class TestSet:
    """The wrong images of one test set."""

    title: str
    classes: Sequence[TrueClass]
    pictures: Mapping[str, str]
    """By image, the address of its picture from the page."""


def write(study: Study, *, rows: Mapping[str, Sequence[str]], pictures: Pictures, out: Path) -> None:
    """Write a page for each trial whose predictions are kept.

    Args:
        rows: by trial id, the rows of tables that it is in.
    """
    folder = out / FOLDER
    kept = links_of(study, start=folder)
    for trial_id in tqdm(rows, desc="pages of wrong images", unit=" trials", leave=False, disable=None):
        run = study.reading.runs[trial_id].record
        if tests := list(_test_sets(study, run, pictures, folder=folder)):
            text = TEMPLATES.get_template("trial.html").render(
                trial=run.trial,
                rows=rows[trial_id],
                tests=tests,
                errors=sum(cell.wrong for test in tests for cell in test.classes),
                total=sum(cell.total for test in tests for cell in test.classes),
                kept=kept.get(trial_id, []),
                gradcam=_gradcam(study, trial_id, folder),
                without=without_pictures(run) if any(_lacks_one(test) for test in tests) else "",
                rehearsal=REHEARSAL_NOTE if run.trial.config.rehearsal else "",
            )
            folder.mkdir(exist_ok=True)
            (folder / f"{trial_id}.html").write_text(text, encoding="utf-8")


def _test_sets(study: Study, run: RunRecord, pictures: Pictures, *, folder: Path) -> Iterator[TestSet]:
    """The test sets of a trial whose predictions are kept, its own first; writes their pictures."""
    made, own = run.provenance, run.trial.config
    for config in own.everywhere:
        name = config.dataset.name
        data = made.get("data") if config.dataset == own.dataset else made.get("data_elsewhere", {}).get(name)
        if predictions := of_record(run, study.reading.predictions, on=config.dataset):
            classes = true_classes(predictions)
            names = [image.name for cell in classes for image in cell.listed]
            found = pictures.of(config.dataset, names, side=config.image_size, fingerprint=str(data))
            addresses = {image: save_picture(content, folder) for image, content in found}
            yield TestSet(config.dataset.title, classes, addresses)


def without_pictures(run: RunRecord) -> str:
    """Why images of a run's dataset have no picture, and how to see them."""
    drawn = run.trial.config.images is ImageSource.DRAWN
    return NO_PICTURES.format(folder="which is STORAGE/data" if drawn else "the folder of the images")


def _lacks_one(test: TestSet) -> bool:
    return any(image.name not in test.pictures for cell in test.classes for image in cell.listed)


def _gradcam(study: Study, trial_id: str, folder: Path) -> str:
    """The address of a trial's Grad-CAM sheet from its page; empty if it has none."""
    sheet = gradcam(study.reading, trial_id)
    return save_picture(sheet, folder) if sheet else ""
