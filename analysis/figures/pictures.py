"""Figures of images: segmentation of a cell (Fig. 2), mixup (Fig. 5), and Grad-CAM (Fig. 10)."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image
from skimage.segmentation import find_boundaries

from analysis.figures.style import COLOURS, SOFT, CannotDraw, Drawn, canvas, rows_of
from analysis.runs.reading import Reading
from analysis.tables.fill import Filled
from search_spaces.paper import DATASETS
from wbc_model.choices import CELLS, ImageSource
from wbc_model.datasets.dataset import DataError, Dataset, letters
from wbc_model.datasets.find import ImageFile, find, kind_of
from wbc_model.datasets.images import read_rgb, resized
from wbc_model.preparation.crop import crop, square
from wbc_model.preparation.segment import BLACK, Box, find_cells, segment
from wbc_model.synthetic.cells import draw_cell
from wbc_model.training.gradcam import HEAT_COLOURS, OPACITY
from wbc_model.training.mixup import mixup

LAM = 0.6
"""The mixing weight shown in Fig. 5."""
PAIR = ("neutrophil", "lymphocyte")
SIDE = 224

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """An RGB picture (H, W, 3), and a sentence for the caption that says where it is from."""

    pixels: Pixels
    source: str


def figure_2(data: Path | None) -> Drawn:
    """The steps from a micrograph to a cropped cell."""
    shown = _smear(data)
    steps, cell = segment(shown.pixels), find_cells(shown.pixels)[0]
    assert steps is not None
    height, width = shown.pixels.shape[:2]
    seen = steps.pixels.max(2) >= BLACK
    left, top, right, bottom = square(cell.box, height=height, width=width)
    marked = steps.pixels.copy()
    marked[find_boundaries(steps.cells, mode="thick")] = (0, 0, 0)
    panels = {
        "Picture": shown.pixels,
        "Stain of nuclei": np.where(seen, steps.stain, steps.stain[seen].min()),
        "Binarised": steps.dark,
        "Holes filled, opened": steps.nuclei,
        "Markers": steps.markers > 0,
        "Watershed": marked,
        "Cropped": resized(shown.pixels[top:bottom, left:right], side=SIDE),
    }
    figure = canvas(2.9)
    grid = figure.subplots(2, 4)
    for i, (axes, (title, picture)) in enumerate(zip(grid.flat, panels.items(), strict=False)):
        _show(axes, picture, title=f"{'abcdefg'[i]}  {title}")
    scale = steps.pixels.shape[1] / width
    corner, sides = (scale * left, scale * top), (scale * (right - left), scale * (bottom - top))
    grid.flat[5].add_patch(Rectangle(corner, *sides, fill=False, edgecolor=COLOURS[2], lw=1.2))
    grid.flat[7].axis("off")
    return Drawn(
        "2",
        "Segmentation of a cell",
        f"{shown.source} The light is divided out and the stain of nuclei separated by colour deconvolution. It is "
        "binarised, holes are filled and thin parts removed by opening; dilation, distance transform and "
        "reconstruction give one marker per nucleus; the watershed (black outline) gives the box that is cropped.",
        figure,
    )


def figure_5(data: Path | None) -> Drawn:
    """Two training images and the virtual sample mixed from them."""
    first, second = (_cell(data, cell) for cell in PAIR)
    x = torch.from_numpy(np.stack([first.pixels, second.pixels])).permute(0, 3, 1, 2).float() / 255
    y = torch.eye(len(CELLS))[[CELLS.index(cell) for cell in PAIR]]
    mixed, label = mixup(x, y, lam=torch.tensor([LAM]), order=torch.tensor([1, 0]))
    figure = canvas(2.3, width=5.4)
    panels = figure.subplots(1, 3)
    pictures = (first.pixels, second.pixels, (255 * mixed[0]).permute(1, 2, 0).numpy().round().astype(np.uint8))
    titles = (f"a  A {PAIR[0]}", f"b  A {PAIR[1]}", f"c  {LAM:g} a + {1 - LAM:g} b")
    for axes, picture, title, target in zip(panels, pictures, titles, (*y, label[0]), strict=True):
        _show(axes, picture, title=title)
        words = [
            f"{letter} {share:g}" for letter, share in zip(letters(CELLS), np.round(target.tolist(), 3), strict=True)
        ]
        axes.set_xlabel("  ".join(words), fontsize=7, color=SOFT)
    return Drawn(
        "5",
        "A virtual training sample made by mixup",
        f"{first.source} Below each image: its label, the share of each cell type. The weight, here {LAM:g}, is drawn "
        "from Beta(α, α) for every batch, Eqs. (1) and (2).",
        figure,
    )


def figure_10(tables: Mapping[str, Filled], reading: Reading) -> Drawn:
    """Grad-CAM sheets of the proposed model on each dataset."""
    sheets: dict[Dataset, tuple[str, bytes]] = {}
    rows = [row for row in rows_of(tables, "12") if row.labels[1] == "Our model"]
    for row in rows:
        for run in row.runs:
            if row.config.dataset not in sheets and (png := reading.fetch(run.trial.id, "gradcam.png")):
                sheets[row.config.dataset] = (run.trial.id, png)
    if not sheets:
        raise CannotDraw("it shows Grad-CAM pictures of the proposed model, and no run of Table 12 has one")
    lines = (len(sheets) + 1) // 2
    figure = canvas(2.45 * lines + 0.6)
    panels = list(np.atleast_1d(figure.subplots(lines, min(2, len(sheets)))).flat)
    for axes in panels[len(sheets) :]:
        axes.axis("off")
    for i, (axes, (dataset, (_, png))) in enumerate(zip(panels, sheets.items(), strict=False)):
        picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        _show(axes, picture, title=f"{ascii_lowercase[i]}  {dataset.title}")
        axes.spines[:].set_visible(False)
    _heat_bar(figure, panels)
    lost = [dataset.title for dataset in DATASETS if dataset not in sheets]
    absent = f" Not shown, because pictures are missing: {', '.join(lost)}." if lost else ""
    return Drawn(
        "10",
        "What the proposed model looks at (Grad-CAM)",
        "Test images beside their heat maps at the output of the attention module, one row per true cell type. Left: "
        "the two most confident correct predictions; right: the two most confident errors, grey if there are fewer. "
        "Above an image: its true type; above a heat map: the predicted type, which it explains. Heat maps lie over "
        f"their images at {OPACITY:.0%} opacity; red regions support the prediction.{absent}",
        figure,
        trials=tuple(trial_id for trial_id, _ in sheets.values()),
    )


def _heat_bar(figure: Figure, panels: list[Axes]) -> None:
    """Say below all panels what the colours of a heat map mean."""
    heat = ScalarMappable(Normalize(0, 1), ListedColormap(HEAT_COLOURS / 255))
    bar = figure.colorbar(heat, ax=panels, location="bottom", shrink=0.5, aspect=40, pad=0.02, panchor=False)
    bar.set_label("Support for the predicted class, as a share of the largest in the image", fontsize=7.5)


def _show(axes: Axes, picture: NDArray, *, title: str) -> None:
    axes.imshow(picture, cmap="gray", interpolation="antialiased")
    axes.set_title(title, fontsize=7.5)
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(visible=True, color=SOFT, linewidth=0.5)
    axes.set_anchor("NW")


def _smear(data: Path | None) -> Shown:
    """A picture of a whole cell, of the first dataset that is cropped by segmentation; without data, a drawing."""
    dataset = next(dataset for dataset in DATASETS if dataset.crop == "segment")
    for sample in _samples(dataset, data):
        pixels = read_rgb(sample.path)
        if any(_is_whole(cell.box, pixels) for cell in find_cells(pixels)[:1]):
            return Shown(pixels, f"{dataset.title}, {sample.id}.")
    return Shown(draw_cell("neutrophil", np.random.default_rng(4), height=240, width=320, fill=0.5).pixels, DRAWING)


def _is_whole(box: Box, pixels: Pixels) -> bool:
    """Whether a box lies within the picture and does not touch the black corners of a rotated one."""
    left, top, right, bottom = box
    height, width = pixels.shape[:2]
    inside = min(left, top) > 0 and right < width and bottom < height
    return inside and bool((pixels[top:bottom, left:right].max(2) >= BLACK).all())


def _cell(data: Path | None, cell: str) -> Shown:
    """A training image of a cell type from the first dataset that is present, or a drawing if none is."""
    for dataset in DATASETS:
        for sample in _samples(dataset, data):
            if sample.cell == cell and sample.part != "test":
                pixels = crop(sample, read_rgb(sample.path), dataset=dataset)
                return Shown(resized(pixels, side=SIDE), f"Images of {dataset.title}.")
    rng = np.random.default_rng([5, CELLS.index(cell)])
    return Shown(draw_cell(cell, rng, height=SIDE, width=SIDE).pixels, DRAWING)


DRAWING = "Drawn cells, because photographs are missing: --data DIR shows real ones."


def _samples(dataset: Dataset, data: Path | None) -> list[ImageFile]:
    """The published images of a dataset; empty if the folder has none."""
    try:
        return find(dataset, data) if data is not None and kind_of(data) is ImageSource.PUBLISHED else []
    except DataError:
        return []
