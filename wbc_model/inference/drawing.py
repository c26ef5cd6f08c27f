"""A picture with its cells marked, and heat maps of what each call rests on."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from wbc_model.errors import InputError
from wbc_model.inference.calls import Call, Examined
from wbc_model.inference.model_file import SavedModel
from wbc_model.training.gradcam import heat_maps, overlay
from wbc_model.training.predict import to_input

COLOURS = ("#0b5cad", "#7a2da8", "#c2410c", "#0f766e", "#9d174d", "#4d7c0f", "#7c5b00", "#334155")
"""Of the classes, in their order and again from the first; each is readable with white letters."""
UNSURE = "#b91c1c"
LEAST_SIDE = 320
"""A smaller picture is enlarged to this many pixels, so that what is written can be read,"""
MOST_SCALE = 8
"""... but not by more than this."""
REHEARSAL = "REHEARSAL: says nothing about blood"


def annotated(examined: Examined, *, classes: tuple[str, ...], rehearsal: bool) -> Image.Image:
    """The picture with a box around each cell, its class and probability; a call that is not sure has a `?`.

    Below it is a band that says that the model is a rehearsal's, if it is.
    """
    picture = Image.fromarray(examined.picture.rgb)
    scale = min(max(1.0, LEAST_SIDE / min(picture.size)), MOST_SCALE)
    picture = picture.resize((round(scale * picture.width), round(scale * picture.height)), Image.Resampling.BILINEAR)
    size = max(14, min(picture.size) // 32)
    if rehearsal:
        whole = Image.new("RGB", (picture.width, picture.height + 2 * size), UNSURE)
        whole.paste(picture)
        picture = whole
    pen = ImageDraw.Draw(picture)
    for call in examined.calls:
        colour = COLOURS[classes.index(call.cell) % len(COLOURS)] if call.sure else UNSURE
        _mark(pen, call, colour=colour, scale=scale, size=size)
    if rehearsal:
        pen.text((size // 2, picture.height - 2 * size + size // 3), REHEARSAL, fill="white", font_size=size)
    return picture


def _mark(pen: ImageDraw.ImageDraw, call: Call, *, colour: str, scale: float, size: int) -> None:
    text = f"{call.cell}{'' if call.sure else '?'} {100 * call.probability:.0f} %"
    left, top, right, bottom = (round(scale * side) for side in call.box or (0, 0, 0, 0))
    line = max(2, round(size / 6))
    if call.box:
        pen.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=line)
    x0, y0, x1, y1 = pen.textbbox((0, 0), text, font_size=size)
    high, wide = round(y1 - y0 + size / 2), round(x1 - x0 + size / 2)
    at = min(left, max(0, pen.im.size[0] - wide)), top - high if top >= high else top
    pen.rectangle((*at, at[0] + wide, at[1] + high), fill=colour)
    pen.text((at[0] + size / 4 - x0, at[1] + size / 4 - y0), text, fill="white", font_size=size)


def explanations(model: SavedModel, examined: Examined, *, device: str) -> list[NDArray[np.uint8]]:
    """Grad-CAM of the class that each cell is called, over the cell as the model sees it, each (S, S, 3).

    Raises:
        InputError: the network has no map to explain by.
    """
    classes = model.info.config.dataset.classes
    called = torch.tensor([classes.index(call.cell) for call in examined.calls], device=device)
    try:
        heat = heat_maps(model.network, to_input(examined.picture.crops, device), called)  # pyrefly: ignore
    except ValueError as error:
        raise InputError(f"{error}: leave out --grad-cam") from error
    maps = zip(examined.picture.crops, heat.cpu().numpy(), strict=True)
    return [overlay(pixels, warmth) for pixels, warmth in maps]
