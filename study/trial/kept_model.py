"""The model that a finished trial keeps: its file, and the model card beside it. Loads torch."""

from collections.abc import Collection, Sequence

from torch import nn

from study.evaluate.evaluation import evaluations_of
from study.plan import RunRecord, Trial
from study.settings import Settings
from study.storage import Storage, TrialFiles, delete, listed, predictions_file
from study.trial.final_test import FinalTest
from study.trial.model_card import model_card
from wbc_model.inference.calibration import calibrate
from wbc_model.inference.model_file import to_bytes
from wbc_model.inference.model_info import CARD, FILE, Calibration, ModelInfo
from wbc_model.plain_text import counted
from wbc_model.preparation.manifest import Entry


def keep(
    model: nn.Module, found: FinalTest, files: TrialFiles, *, manifest: Sequence[Entry], wanted: bool
) -> dict[str, bytes]:
    """Write a model and its card, in place of those of an earlier training.

    Args:
        model: with the weights of the best epoch.
        manifest: of the images that it was trained on.
        wanted: write them; otherwise only remove those of an earlier training.

    Returns:
        The content of the model's file, by its name; empty if it is not wanted.
    """
    drafts = listed(files.folder, f".{FILE}.*")  # of attempts that were killed
    evaluations = listed(files.folder, "evaluations/*.json")
    predicted = [predictions_file(old.stem) for old in evaluations if old.stem not in found.tests]
    altered = listed(files.folder, "robustness/*.json")
    for stale in (*drafts, *evaluations, *altered, *(files.folder / name for name in (FILE, CARD, *predicted))):
        delete(stale)
    if not wanted:
        return {}
    record, validation = found.record, found.validation
    info = ModelInfo(
        config=record.trial.config,
        seed=record.trial.seed,
        trial=record.trial.id,
        best_epoch=record.best_epoch,
        validation=record.validation.accuracy,
        calibration=calibrate(validation.probabilities, validation.truth),
        provenance={name: value for name, value in record.provenance.items() if name != "peak"},  # differs by attempt
    )
    content = to_bytes(model, info)
    files.write(FILE, content)
    write_card(files, record, info.calibration, manifest=manifest)
    return {FILE: content}


def write_card(files: TrialFiles, record: RunRecord, calibration: Calibration, *, manifest: Sequence[Entry]) -> None:
    """Write the card of a record's model, with all that it was tested on until now."""
    titles = {dataset.name: dataset.title for dataset in record.trial.config.tested}
    others = {titles.get(name, name): (matrix, "test set") for name, matrix in record.elsewhere.items()}
    for name, each in evaluations_of(files).items():
        title = f"{each.title} ({name})" if each.title in others else each.title
        others[title] = (each.matrix, each.remark)
    files.write(CARD, model_card(record, calibration, manifest=manifest, others=others).encode())


def without_model(finished: Collection[Trial], settings: Settings) -> list[str]:
    """What to tell of finished trials that should have kept their model, and did not."""
    storage = Storage(settings.storage)
    there = storage.having(FILE)
    lacking = [trial.id for trial in finished if settings.keeps(trial) and trial.id not in there]
    if not lacking:
        return []
    named = f"{', '.join(lacking[:3])}{', ...' * (len(lacking) > 3)}"
    return [
        f"{counted(len(lacking), 'finished trial')} kept no model ({named}): an older version or --keep-weights left "
        "none, and nothing is trained again for it. To train one again, delete its record.json in "
        f"{storage.root / 'trials'}"
    ]
