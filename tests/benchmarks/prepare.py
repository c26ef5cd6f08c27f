"""Images per second of `prepare`, against a plain loop over the same libraries, and against the decoder alone.

    python tests/benchmarks/prepare.py [--data DIR] [--workers 2] [--json FILE]

Without `--data`, BCCD is drawn. What is measured ends in arrays on disk: hashing, the split and the manifest included,
which the plain loop has not; the decoder's rate is the floor that no way of preparing can pass in one process.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.transform import resize

from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.find import ImageFile, find, kind_of
from wbc_model.datasets.spec import DataSpec
from wbc_model.preparation.cache import prepare
from wbc_model.preparation.crop import square
from wbc_model.preparation.segment import find_cells
from wbc_model.synthetic.folders import write

SIZE = 224


def plain(samples: Sequence[ImageFile]) -> None:
    """Read, find the cell, crop, resize, keep: what a script does."""
    images = []
    for sample in samples:
        picture = np.asarray(Image.open(sample.path).convert("RGB"))
        if cells := find_cells(picture):
            left, top, right, bottom = square(cells[0].box, height=picture.shape[0], width=picture.shape[1])
            images.append((resize(picture[top:bottom, left:right], (SIZE, SIZE)) * 255).astype(np.uint8))
    with tempfile.TemporaryFile() as file:
        np.save(file, np.stack(images))


def decode(samples: Sequence[ImageFile]) -> None:
    for sample in samples:
        Image.open(sample.path).load()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", type=Path, help="folder with BCCD as published")
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--share", type=float, default=1 / 8, help="of the published counts, where BCCD is drawn")
    p.add_argument("--some", type=int, default=600, help="images for the two that are compared with")
    p.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = args.data or Path(folder) / "data"
        if not args.data:
            write(data, datasets=[BCCD], share=args.share, side=240)
        samples = find(BCCD, data)
        some = [samples[i] for i in np.random.default_rng(0).permutation(len(samples))[: args.some]]
        started = time.perf_counter()
        spec = DataSpec(dataset=BCCD, images=kind_of(data), image_size=SIZE)
        prepare(spec, data=data, cache=Path(folder) / "cache", workers=args.workers)
        rates = {"prepare": len(samples) / (time.perf_counter() - started)}
        for name, way in {"plain": plain, "decoder": decode}.items():
            started = time.perf_counter()
            way(some)
            rates[name] = len(some) / (time.perf_counter() - started)
    figures = {"images": len(samples), "workers": args.workers, "images_per_second": rates}
    figures |= {f"ratio_to_{name}": rates["prepare"] / rates[name] for name in ("plain", "decoder")}
    print(f"prepare, {args.workers} workers: {rates['prepare']:.0f} images/s; plain loop: {rates['plain']:.0f}, ratio "
          f"{figures['ratio_to_plain']:.2f}; decoder alone: {rates['decoder']:.0f}, ratio "
          f"{figures['ratio_to_decoder']:.2f}")  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
