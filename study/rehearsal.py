"""Make the inputs of a rehearsal: drawn data in the published layouts, and tiny trunks trained on another task."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from filelock import FileLock

from search_spaces.paper import DATASETS
from study.plan import Trial
from study.settings import Settings
from wbc_model.choices import ImageSource, Init
from wbc_model.files import whole_folder
from wbc_model.networks.build import trunks_of
from wbc_model.synthetic.folders import write
from wbc_model.synthetic.pretrain import pretrain

SHARE, SIDE, SEED = 1 / 60, 64, 0
"""Fraction of the published counts; height of the drawings in pixels; seed of all drawings."""


def set_up(trials: Iterable[Trial], settings: Settings) -> None:
    """Draw the data and train the trunks that are missing. A set-up that is killed leaves nothing incomplete.

    Of several launches in one storage one does it, and the others wait for it.
    """
    data, weights = Path(settings.data), Path(settings.weights or "")
    data.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(data.with_name(".rehearsal.lock")):
        _make_missing(list(trials), data=data, weights=weights)


def _make_missing(trials: Sequence[Trial], *, data: Path, weights: Path) -> None:
    drawn = any(trial.config.images is ImageSource.DRAWN for trial in trials)
    if drawn and not data.exists():
        print(f"rehearsal: drawing four datasets in {data}", file=sys.stderr, flush=True)
        with whole_folder(data) as draft:
            write(draft, datasets=DATASETS, share=SHARE, side=SIDE, seed=SEED)
    torch.set_num_threads(1)  # networks this small are slower with more
    used = (pair for trial in trials for pair in trunks_of(trial.config).values())
    files = {spec.file_stem: spec for spec, init in used if init is Init.IMAGENET}
    for stem, spec in files.items():
        if not list(weights.glob(f"{stem}.safetensors")):
            print(
                f"rehearsal: training {stem} on drawn textures, as its pre-trained weights", file=sys.stderr, flush=True
            )
            pretrain(spec, weights, seed=SEED)
