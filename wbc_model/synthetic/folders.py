"""Data folders of drawings, in the layouts in which the four datasets are published. Needs no torch."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import DataError, Dataset, Part
from wbc_model.datasets.drawn import drawn_as
from wbc_model.datasets.find import DRAWN_MARK
from wbc_model.synthetic.cells import Drawing, draw_cell


def counts(dataset: Dataset, *, share: float) -> dict[Part, dict[str, int]]:
    """Images per part and cell type: the published numbers times `share`, more of a small dataset (LISC).

    60 at least, 20 to test, so that a rehearsal has of every cell type what can be learnt and counted.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is a part of the published numbers, above 0 and at most 1; got {share}")
    kept = min(1, drawn_as(dataset).enlarged * share)
    return {
        part: {
            cell: min(number, max(20 if part == "test" else 60, round(number * kept)))
            for cell, number in numbers.items()
        }
        for part, numbers in dataset.published.items()
    }


def write(root: Path, *, datasets: Iterable[Dataset], share: float, side: int, seed: int = 0) -> None:
    """Draw datasets of the paper in their published layouts into `root`; `side` is the pictures' height in pixels.

    Raises:
        DataError: `root` holds anything but drawings of the same share, side and seed.
    """
    text = f"Drawings by wbc_model.synthetic, not blood: share {share:g}, side {side}, seed {seed}.\n"
    root.mkdir(parents=True, exist_ok=True)
    mark = root / DRAWN_MARK
    if any(root.iterdir()) and (not mark.exists() or mark.read_text() != text):
        raise DataError(f"{root} holds something else: wanted an empty folder, or one whose {DRAWN_MARK} says: {text}")
    mark.write_text(text)
    for dataset in datasets:
        how = drawn_as(dataset)
        for part, numbers in counts(dataset, share=share).items():
            for cell, number in numbers.items():
                for i in range(number):
                    # A random stream of its own by name: no image depends on what else is drawn.
                    rng = np.random.default_rng([seed, *f"{dataset}/{part}/{cell}/{i}".encode()])
                    drawing = draw_cell(cell, rng, height=side, width=round(side * how.aspect), fill=how.fill)
                    path = root / how.path(part, cell, i)
                    _save(path, drawing.pixels[..., ::-1])
                    if dataset.crop == "mask":
                        _save_mask(dataset.mask_of(path), drawing, cell=cell)


def _save_mask(path: Path, drawing: Drawing, *, cell: str) -> None:
    """Grey levels of cytoplasm and nucleus are 25 apart and each type's own; the margin is cut off, as LISC's is."""
    cut = max(1, round(drawing.cell_mask.shape[0] * 4 / 576))
    levels = drawing.cell_mask * (25 + 50 * CELLS.index(cell)) + drawing.nucleus_mask * 25
    _save(path, levels[cut:-cut, cut:-cut].astype(np.uint8))


def _save(path: Path, image: NDArray[np.uint8]) -> None:
    """Grey or BGR, as OpenCV has it; its JPEG quality is 95."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
