"""Rate of reading training batches: the cache, against a torch DataLoader with albumentations on the fly.

    python tests/benchmarks/batches.py [--workers 2]

Both give batches of 16 images of 224 x 224, shuffled, with one process reading for the cache and `--workers` for the
peer; the images are drawn, and written as JPEGs (LDWBC is published at `--side 1280`).
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import DataLoader, Dataset

from wbc_model.choices import Augmentation, ImageSource
from wbc_model.datasets.ldwbc import DATASET as LDWBC
from wbc_model.datasets.ldwbc import DRAWN
from wbc_model.datasets.spec import DataSpec
from wbc_model.preparation.augment import AUGMENT
from wbc_model.preparation.cache import prepare
from wbc_model.synthetic.folders import counts, write
from wbc_model.training.train import batches

SIZE, BATCH = 224, 16


class OnTheFly(Dataset):
    """Decode, resize and augment each image every time it is asked for."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:
        image = cv2.resize(cv2.imread(str(self.files[index])), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        return AUGMENT(image=image[..., ::-1].copy())["image"]


def rate(batches: Iterable[np.ndarray]) -> float:
    started, n = time.perf_counter(), 0
    for batch in batches:
        n += len(batch)
    return n / (time.perf_counter() - started)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--side", type=int, default=480, help="of the published images, in pixels")
    p.add_argument("--share", type=float, default=1 / 4000, help="of the published counts")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write(data, datasets=[LDWBC], share=args.share, side=args.side)
        ids = counts(LDWBC, share=args.share)["all"].items()
        files = [data / DRAWN.path("all", cell, i) for cell, n in ids for i in range(n)]
        spec = DataSpec(dataset=LDWBC, images=ImageSource.DRAWN, augmentation=Augmentation.LARGEST, image_size=SIZE)
        train = prepare(spec, data=data, cache=Path(folder) / "cache").sets["train"]
        order = (index for epoch in range(20) for index in batches(len(train), batch_size=BATCH, seed=0, epoch=epoch))
        ours = rate(np.array(train.pixels[index]) for index in order)
        loader = DataLoader(OnTheFly(files), batch_size=BATCH, shuffle=True, num_workers=args.workers)
        next(iter(loader))  # its workers' imports are not what is measured
        theirs = rate(loader)
    print(f"cache, 1 process: {ours:.0f} images/s; DataLoader with albumentations, {args.workers} workers: "
          f"{theirs:.0f} images/s; ratio {ours / theirs:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
