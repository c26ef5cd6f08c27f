"""Grad-CAM (Selvaraju et al. 2017; Fig. 10): how much each pixel supports a class, from the map before pooling.

In the proposed model that map is the output of the attention module, as in the paper; in a baseline it is the trunk's.
Only the classifying layers lie between the map and the logits, so its gradient needs neither hooks nor another pass
through the trunks.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wbc_model.networks.baselines import BaselineNet
from wbc_model.networks.two_branch import TwoBranchNet
from wbc_model.preparation.image_set import ImageSet
from wbc_model.training.predict import to_input

TILE = 112
"""Side of one picture on a sheet, in pixels."""
EACH = 2
"""Correct and wrong examples shown of each class."""
HEAT_COLOURS = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_JET)[0, :, ::-1]
"""Of heat from 0 to 1: uint8 RGB (256, 3). Matplotlib's colour map of the same name, jet, has others."""
OPACITY = 0.4
"""Of a heat map that lies over its image."""


def heat_maps(model: TwoBranchNet | BaselineNet, x: Tensor, classes: Tensor) -> Tensor:
    """How much each pixel supports a class, (B, H, W) in [0, 1]; the maximum of each image is 1, unless all are 0.

    The model runs in evaluation mode (no dropout, running batch statistics) and is put back into the mode it was in.

    Args:
        x: images (B, 3, H, W) in [0, 1].
        classes: the class to explain in each image, (B,).

    Raises:
        ValueError: the network has no map, as most transformers.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad():
        maps = model.features(x)
    if maps.ndim != 4:
        model.train(was_training)
        raise ValueError(f"Grad-CAM needs a map (B, C, h, w) before pooling, and the network has {tuple(maps.shape)}")
    maps.requires_grad_()
    logits = model.classify(maps)
    (gradient,) = torch.autograd.grad(logits.gather(1, classes.unsqueeze(1)).sum(), maps)
    model.train(was_training)
    weights = gradient.mean((2, 3), keepdim=True)
    heat = (weights * maps.detach()).sum(1, keepdim=True).relu()
    heat = F.interpolate(heat, x.shape[2:], mode="bilinear", align_corners=False).squeeze(1)
    return heat / heat.amax((1, 2), keepdim=True).clamp(min=torch.finfo(heat.dtype).tiny)


def overlay(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A heat map (H, W) in [0, 1] over its image, uint8 RGB (H, W, 3)."""
    colours = HEAT_COLOURS[(255 * heat).astype(np.uint8)]
    return ((1 - OPACITY) * pixels + OPACITY * colours).astype(np.uint8)


def sheet(
    model: TwoBranchNet | BaselineNet,
    images: ImageSet,
    probabilities: np.ndarray,
    *,
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """Example images of each class beside their heat maps: the most confident correct ones, then the most confident
    wrong ones.

    A heat map explains the predicted class, which is written above it. The result is RGB uint8 with one row per class,
    grey where a class has fewer examples.
    """
    rows = [_row(model, images, probabilities, label, device=device) for label in range(len(images.cells))]
    return np.concatenate(rows)


def _row(
    model: TwoBranchNet | BaselineNet,
    images: ImageSet,
    probabilities: np.ndarray,
    label: int,
    *,
    device: torch.device | str,
) -> np.ndarray:
    guesses = probabilities.argmax(1)
    mine = np.flatnonzero(images.labels == label)
    surest = mine[np.argsort(-probabilities[mine].max(1), kind="stable")]
    right, wrong = surest[guesses[surest] == label], surest[guesses[surest] != label]
    tiles: list[np.ndarray] = []
    for chosen in (right[:EACH], wrong[:EACH]):
        for i in chosen:
            x = to_input(images.pixels[i : i + 1], device)
            heat = heat_maps(model, x, torch.as_tensor(guesses[i : i + 1], device=device))[0].cpu().numpy()
            tiles += [
                _tile(images.pixels[i], images.cells[label]),
                _tile(overlay(images.pixels[i], heat), images.cells[guesses[i]]),
            ]
        tiles += [np.full((TILE + 16, TILE, 3), 128, np.uint8)] * 2 * (EACH - len(chosen))
    return np.concatenate(tiles, axis=1)


def _tile(pixels: np.ndarray, title: str) -> np.ndarray:
    picture = cv2.resize(pixels, (TILE, TILE), interpolation=cv2.INTER_AREA)
    band = np.full((16, TILE, 3), 255, np.uint8)
    cv2.putText(band, title, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([band, picture])
