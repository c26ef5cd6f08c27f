"""Recall and precision of the segmentation on boxed photographs, at an intersection over union of 0.5.

    python tests/benchmarks/segmentation.py PHOTOGRAPHS BOXES [PHOTOGRAPHS BOXES ...]

PHOTOGRAPHS is a folder of JPEG files. BOXES is a CSV file (picture, left, top, right, bottom, in pixels, without a
header), as `tests/wbc_model/preparation/bccd_boxes.csv`; or a folder of text files in YOLO's form, one for each
photograph (class, centre x and y, width, height, as shares of the picture). Each pair is also measured at other
sizes and in other light.
"""

import argparse
import csv
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wbc_model.datasets.images import read_rgb
from wbc_model.preparation.segment import find_cells

Pixels = NDArray[np.uint8]


def iou(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    both = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return float(both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both))


def _light(*, gain: tuple[float, float, float] = (1, 1, 1), gamma: float = 1) -> Callable[[Pixels], Pixels]:
    return lambda rgb: (255 * np.array(gain) * (rgb / 255) ** gamma).clip(0, 255).astype(np.uint8)


def _vignette(rgb: Pixels) -> Pixels:
    """The corners half as bright as the middle."""
    y, x = (np.linspace(-1, 1, n) for n in rgb.shape[:2])
    return (rgb * np.exp(-0.35 * (x**2 + y[:, None] ** 2))[..., None]).astype(np.uint8)


def _sized(scale: float) -> Callable[[Pixels], Pixels]:
    return lambda rgb: np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


CHANGES: Mapping[str, tuple[float, Callable[[Pixels], Pixels]]] = {
    "as they are": (1, lambda rgb: rgb),
    "half the size": (0.5, _sized(0.5)),
    "twice the size": (2, _sized(2)),
    "half as bright": (1, _light(gain=(0.5, 0.5, 0.5))),
    "yellow light": (1, _light(gain=(1, 0.85, 0.6))),
    "gamma 1.6": (1, _light(gamma=1.6)),
    "vignette": (1, _vignette),
}
"""By what a picture is changed: the factor of its size, and how."""


def read_boxes(source: Path, photograph: Path, *, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The boxes (n, 4) of a photograph of a shape (H, W, ...), from a CSV file or a folder of YOLO's text files."""
    if source.is_file():
        with source.open(newline="") as file:
            rows = [row[1:] for row in csv.reader(file) if row[0] == photograph.stem]
        return np.array(rows, float).reshape(-1, 4)
    height, width = shape[:2]
    rows = [line.split()[1:] for line in (source / f"{photograph.stem}.txt").read_text().splitlines()]
    x, y, w, h = np.array(rows, float).reshape(-1, 4).T
    return np.stack([(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height], axis=1)


def measure(photographs: list[Path], boxes: Path, *, change: str = "as they are") -> tuple[float, float, float]:
    """Recall, precision, and seconds of processor time per photograph."""
    scale, changed = CHANGES[change]
    right = found = true = 0
    seconds = 0.0
    for path in photographs:
        rgb = read_rgb(path)
        truth = scale * read_boxes(boxes, path, shape=rgb.shape)
        picture = changed(rgb)
        start = time.process_time()
        cells = [np.array(cell.box) for cell in find_cells(picture)]
        seconds += time.process_time() - start
        right += sum(any(iou(cell, box) >= 0.5 for cell in cells) for box in truth)
        found, true = found + len(cells), true + len(truth)
    return right / max(true, 1), right / max(found, 1), seconds / len(photographs)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folders", type=Path, nargs="+", metavar="PHOTOGRAPHS BOXES")
    args = p.parse_args()
    cv2.setNumThreads(1)
    for photographs, boxes in zip(args.folders[::2], args.folders[1::2], strict=True):
        if not (files := sorted(photographs.glob("*.jp*g"))):
            p.error(f"{photographs} has no JPEG files")
        print(f"{photographs}: {len(files)} photographs")
        for change in CHANGES:
            recall, precision, seconds = measure(files, boxes, change=change)
            print(f"  {change:15s} recall {recall:.3f}  precision {precision:.3f}  {seconds:.3f} s", flush=True)


if __name__ == "__main__":
    main()
