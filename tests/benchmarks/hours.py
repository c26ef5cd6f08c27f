"""Hours that the paper's 46 trainings take at a measured rate, one after the other, and the arithmetic they are.

    python tests/benchmarks/trial.py --json build/trial.json
    python tests/benchmarks/hours.py build/trial.json [--at-once 1] [--json FILE]

The rates are those of `trial.py`, for the proposed model; another network is taken to be as much faster as it has less
arithmetic. Images are Table 2's, with the copies of Fig. 4. `--at-once` divides by what packing gains, as measured by
`packing.py`. On the machine itself `study/run.py --calibrate` measures each network and dataset instead.
"""

import argparse
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from search_spaces.paper import TABLES
from search_spaces.table import configs
from wbc_model.choices import Augmentation, Init
from wbc_model.config import TrialConfig
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.describe import measure
from wbc_model.models import Baseline, Model, TwoBranch


def training_images(config: TrialConfig) -> float:
    """Of an epoch; the classes of a random split are as large as they are on average."""
    train, validation, test = config.dataset.sizes
    if config.dataset == BCCD or config.augmentation is not Augmentation.PAPER:
        return train
    if config.dataset == LISC:
        return LISC.copies * len(config.dataset.classes)
    parts = config.dataset.published
    whole = train + validation + (test if "all" in parts else 0)
    largest = max(parts["all" if "all" in parts else "train"].values())
    return largest * train / whole * len(config.dataset.classes)


@cache
def multiply_adds(model: Model, image_size: int) -> tuple[float, float]:
    """10^9 an image, forward, and forward with backward."""
    _, forward, both = measure(TrialConfig(model=model, image_size=image_size))
    return forward, both


def untrained(model: Model) -> Model:
    """The same arithmetic without weights from anywhere; attention, of little arithmetic, as proposed."""
    if isinstance(model, Baseline):
        return replace(model, init=Init.RANDOM)
    there = [name for name in ("resnet", "densenet") if getattr(model, name) is not None]
    absent = {"resnet": None, "densenet": None}
    return TwoBranch(**(absent | dict.fromkeys(there, Init.RANDOM)), cut=model.cut, fuse=model.fuse)


def work(config: TrialConfig) -> float:
    """Floating-point operations of a whole training, its validation and test included."""
    forward, both = multiply_adds(untrained(config.model), config.image_size)
    _, validation, test = config.dataset.sizes
    return 2e9 * (config.epochs * (training_images(config) * both + validation * forward) + test * forward)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("rates", type=Path, help="what trial.py wrote")
    p.add_argument("--at-once", type=float, default=1, metavar="GAIN", help="trials per hour, packed, over those alone")
    p.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = p.parse_args()
    measured = json.loads(args.rates.read_text())
    plan = configs(TABLES)
    total = sum(map(work, plan))
    hours = {name: total / (1e12 * facts["tflops"]) / 3600 / args.at_once for name, facts in measured["found"].items()}
    print(f"{len(plan)} trainings, {total / 1e18:.2f} EFLOP; on {measured['machine']}:")
    for name, value in hours.items():
        print(f"{name:10}{value:12.1f} hours, ratio {hours['plain'] / value:.2f}")
    if args.json:
        args.json.write_text(json.dumps({"machine": measured["machine"], "flop": total, "hours": hours}))


if __name__ == "__main__":
    main()
