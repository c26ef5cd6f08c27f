"""Data folders of drawings, in the layouts in which the four datasets are published. Needs no torch."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_model.choices import CELLS, Dataset
from wbc_model.datasets.dataset import DRAWN_MARK, LAYOUTS, DataError, Part
from wbc_model.synthetic.cells import Drawing, draw_cell

FRAMES = {Dataset.LDWBC: (1, 0.8), Dataset.LISC: (5 / 4, 0.65), Dataset.BCCD: (4 / 3, 0.6), Dataset.RAABIN: (1, 0.85)}
"""Width over height, and a usual white cell's diameter over the height."""
LISC_FOLDERS = dict(zip(CELLS, ("Baso", "mono", "eosi", "neut", "lymp"), strict=True))


def counts(dataset: Dataset, *, share: float) -> dict[Part, dict[str, int]]:
    """Images per part and cell type: the published numbers times `share`, 40 times that of small LISC.

    60 at least, 20 to test, so that a rehearsal has of every cell type what can be learnt and counted.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is a part of the published numbers, above 0 and at most 1; got {share}")
    kept = min(1, 40 * share) if dataset is Dataset.LISC else share
    return {
        part: {
            cell: min(number, max(20 if part == "test" else 60, round(number * kept)))
            for cell, number in numbers.items()
        }
        for part, numbers in LAYOUTS[dataset].counts.items()
    }


def write(root: Path, *, datasets: Iterable[Dataset] = Dataset, share: float, side: int, seed: int = 0) -> None:
    """Draw datasets in their published layouts into `root`; `side` is the pictures' height in pixels.

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
        for part, numbers in counts(dataset, share=share).items():
            for cell, number in numbers.items():
                for i in range(number):
                    # A random stream of its own by name: no image depends on what else is drawn.
                    rng = np.random.default_rng([seed, *f"{dataset}/{part}/{cell}/{i}".encode()])
                    aspect, fill = FRAMES[dataset]
                    drawing = draw_cell(cell, rng, height=side, width=round(side * aspect), fill=fill)
                    _save(root / path_of(dataset, part=part, cell=cell, i=i), drawing.pixels[..., ::-1])
                    if dataset is Dataset.LISC:
                        _save_mask(root, drawing, cell=cell, i=i)


def path_of(dataset: Dataset, *, part: Part, cell: str, i: int) -> str:
    """Where image `i` lies below the root, named as published."""
    folder = LAYOUTS[dataset].parts[part]
    # As published, a slide of Raabin's has cells of all types, in both parts.
    number = CELLS.index(cell) + 1 + len(CELLS) * (part == "test")
    paths = {
        Dataset.LDWBC: f"LDWBC/{cell}/{i + 1}.jpg",
        Dataset.LISC: f"LISC Database/Main Dataset/{LISC_FOLDERS[cell]}/{i + 1}.bmp",
        # 7919 is prime: no two of the first 10,000 have the same four digits.
        Dataset.BCCD: f"{2 * 'dataset2-master/'}images/{folder}/{cell.upper()}/_{i % 20}_{i * 7919 % 10000}.jpeg",
        Dataset.RAABIN: f"Raabin-WBC/{folder}/{cell.capitalize()}/95-8-{i // 25 + 1}-1_{i + 1}_{number}.jpg",
    }
    return paths[dataset]


def _save_mask(root: Path, drawing: Drawing, *, cell: str, i: int) -> None:
    """Grey levels of cytoplasm and nucleus are 25 apart and each type's own; the margin is cut off."""
    cut = max(1, round(drawing.cell_mask.shape[0] * 4 / 576))
    levels = drawing.cell_mask * (25 + 50 * CELLS.index(cell)) + drawing.nucleus_mask * 25
    folder = root / "LISC Database/Ground Truth Segmentation" / LISC_FOLDERS[cell] / "areaforexpert1"
    _save(folder / f"{i + 1}_expert.bmp", levels[cut:-cut, cut:-cut].astype(np.uint8))


def _save(path: Path, image: NDArray[np.uint8]) -> None:
    """Grey or BGR, as OpenCV has it; its JPEG quality is 95."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
