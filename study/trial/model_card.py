"""The model card of a trained model, in Markdown (Mitchell et al. 2019). Loads torch."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from study.arguments import command_line
from study.plan import RunRecord
from study.storage import manifest_file
from wbc_model.choices import ImageSource, Stain, Trunks
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import is_built_in
from wbc_model.inference.calibration import TARGET
from wbc_model.inference.model_info import Calibration
from wbc_model.networks.build import trunks_of
from wbc_model.networks.timm_registry import configuration
from wbc_model.plain_text import markdown
from wbc_model.preparation.manifest import Entry
from wbc_model.preparation.splits import SPLITS
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.scoring.wilson import wilson

TEMPLATE = Path(__file__).with_name("model_card.md.jinja")
CROPS = {
    "none": "The whole picture is the input.",
    "mask": "The input is a square around the cell's mask.",
    "segment": "The input is a square around the cell that the segmentation finds.",
}
STAINS = {
    Stain.NONE: "",
    Stain.MACENKO: " Its stains are normalised, by a method made for haematoxylin and eosin (Macenko et al. 2009).",
    Stain.JITTER: " The stains of training images vary at random.",
}
_THRESHOLDS = (
    f"It is the lowest, from 0.5, at which at least {TARGET:.0%} of the sure calls on these images are right.",
    f"No threshold was found at which {TARGET:.0%} of the sure calls on these images are right.",
)


def model_card(
    record: RunRecord,
    calibration: Calibration,
    *,
    manifest: Sequence[Entry],
    others: Mapping[str, tuple[ConfusionMatrix, str]],
) -> str:
    """The card of a record's model.

    Args:
        manifest: of the images that it was trained on; empty if there is none.
        others: matrices of tests on other images and a remark on each, by what the images are called.
    """
    trial, config = record.trial, record.trial.config
    drawn, of_copies = config.images is ImageSource.DRAWN, config.dataset.of_copies
    environment = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, autoescape=False)
    environment.filters["md"] = markdown
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        name=trial.name,
        seed=trial.seed,
        trial=trial.id,
        rehearsal=config.rehearsal,
        source=_source(config),
        terms="drawn by this program" if drawn else config.dataset.terms or "not stated",
        copies=" The images are copies of fewer photographs, so the intervals are too narrow." * of_copies,
        classes=config.dataset.classes,
        crop=CROPS[config.dataset.crop],
        size=config.image_size,
        stain=STAINS[config.stain],
        split=config.split,
        augmentation=config.augmentation,
        sets=_sets(config, manifest),
        left_out=sum(bool(entry.excluded) for entry in manifest),
        data=record.provenance["data"],
        manifest=manifest_file(config.dataset.name, record.provenance["data"]),
        overall=_overall(record.test),
        by_class=list(_by_class(record.test)),
        best_epoch=record.best_epoch + 1,
        epochs=config.epochs,
        validation=percent(record.validation.accuracy),
        others=[_other(name, matrix, remark) for name, (matrix, remark) in others.items()],
        calibration=calibration,
        percent=percent,
        threshold=_THRESHOLDS[calibration.threshold == TARGET],
        pretrained=list(_pretrained(record)),
        command=_command(record),
        difference=json.dumps(config.knobs()) if config.knobs() else "none",
        made=_made(record),
    )


def _source(config: TrialConfig) -> str:
    dataset = config.dataset
    if config.images is ImageSource.DRAWN:
        return f"Drawn cells in the layout of {dataset.title}."
    return f"{dataset.title}, from {dataset.source}." if dataset.source else f"{dataset.title}."


def percent(share: float | None) -> str:
    """`98.7 %`."""
    return "unknown" if share is None else f"{100 * share:.1f} %"


def _interval(hits: int, of: int) -> str:
    """A share in percent with its 95 % Wilson interval."""
    if not of:
        return "–"
    low, high = wilson(hits, of)
    return f"{100 * hits / of:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _sets(config: TrialConfig, manifest: Sequence[Entry]) -> dict[str, list[int]]:
    """Images of each class in each set; empty without a manifest."""
    counts = Counter((entry.split, entry.cell) for entry in manifest)
    return {name: [counts[name, cell] for cell in config.dataset.classes] for name in SPLITS if manifest}


def _overall(matrix: ConfusionMatrix) -> str:
    scores = matrix.scores()
    return (
        f"Accuracy {_interval(matrix.right, matrix.images)}, macro precision {100 * scores['macro_precision']:.1f}, "
        f"macro recall {100 * scores['macro_recall']:.1f}, macro F1 {100 * scores['macro_f1']:.1f}; "
        f"{matrix.images} images."
    )


def _by_class(matrix: ConfusionMatrix) -> Iterator[tuple[str, ...]]:
    """Class, images, recall, precision, F1."""
    called = [sum(column) for column in zip(*matrix.counts, strict=True)]
    for i, (cell, row) in enumerate(zip(matrix.classes, matrix.counts, strict=True)):
        f1 = 2 * row[i] / (sum(row) + called[i]) if sum(row) + called[i] else 0.0
        yield cell, f"{sum(row)}", _interval(row[i], sum(row)), _interval(row[i], called[i]), f"{100 * f1:.1f}"


def _other(name: str, matrix: ConfusionMatrix, remark: str) -> tuple[str, ...]:
    share, f1 = _interval(matrix.right, matrix.images), f"{100 * matrix.scores()['macro_f1']:.1f}"
    return name, f"{matrix.images}", share, f1, remark


def _pretrained(record: RunRecord) -> Iterator[str]:
    """A line for each file of pre-trained weights: where it is from, and its licence."""
    specs = {name: spec for name, (spec, _) in trunks_of(record.trial.config).items()}
    for name, weights in record.provenance["weights"].items():
        model = specs[name].timm_model
        published = weights["origin"].startswith(("hub ", "torchvision "))
        terms = "as its source states, which is not known here"
        if specs[name].trunks is Trunks.TINY:
            terms = "trained by this program"
        elif published:
            terms = configuration(model).license if model else "BSD-3-Clause (torchvision); trained on ImageNet"
        yield f"Pre-trained weights of {name} ({weights['origin']}): {terms or 'not stated'}."


def _command(record: RunRecord) -> str:
    trial = record.trial
    own = [] if is_built_in(trial.config.dataset) else [f"{trial.config.dataset.name}=FOLDER"]
    return command_line(tables=trial.tables, own=own, overrides=trial.overrides, seeds=(trial.seed,))


def _made(record: RunRecord) -> dict[str, Any]:
    """Code, packages, weights and machine."""
    made = record.provenance
    packages = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    weights = {f"SHA-256 of the pre-trained {name}": f"`{each['sha256']}`" for name, each in made["weights"].items()}
    return {
        "code": f"commit {made['git'] or 'unknown'}, sources `{made['code']}`",
        "packages": packages,
        **weights,
        "device": made["device"],
        "duration": f"{timedelta(seconds=round(record.seconds))}",
    }
