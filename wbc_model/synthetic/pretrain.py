"""Train a tiny trunk to classify drawn textures: the weights that a rehearsal of transfer learning starts from."""

from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from wbc_model.choices import Init, Normalisation
from wbc_model.config import TrialConfig
from wbc_model.files import whole_file
from wbc_model.models import Baseline
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.baselines import build_baseline
from wbc_model.networks.weights import TrunkSpec
from wbc_model.preparation.image_set import ImageSet
from wbc_model.synthetic.cells import TEXTURES, draw_texture_task
from wbc_model.training.train import fit

IMAGES, SIDE, EPOCHS = 1200, 48, 8
"""Drawn textures; their side in pixels, except for models of timm, which are built for one size; epochs."""


def pretrain(spec: TrunkSpec, folder: Path, *, seed: int) -> Path:
    """Train a trunk to classify textures and write its best weights to the file that `find_weights` expects."""
    side = spec.image_size if spec.timm_model else SIDE
    pixels, labels = draw_texture_task(IMAGES, side=side, seed=seed)
    train, validation = (
        ImageSet(pixels[part], labels[part], tuple(map(str, part)), TEXTURES)
        for part in np.split(np.arange(IMAGES), [IMAGES * 4 // 5])
    )
    trunk = build_trunk(spec, init=Init.RANDOM, seed=seed)
    model = build_baseline(spec.network, trunk, normalisation=Normalisation.IMAGENET, classes=len(TEXTURES),
                           dropout=0.0, seed=seed)  # fmt: skip
    config = TrialConfig(
        model=Baseline(spec.network, Init.RANDOM),
        trunks=spec.trunks,
        epochs=EPOCHS,
        lr=1e-2,
        batch_size=32,
        mixup_alpha=0,
    )
    *_, last = fit(model, train, validation, config, seed=seed)
    model.load_state_dict(last.state.best_model)
    file = folder / f"{spec.file_stem}.safetensors"
    with whole_file(file) as draft:
        save_file({name: x.contiguous() for name, x in trunk.body.state_dict().items()}, draft)
    return file
