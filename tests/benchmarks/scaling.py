"""How time and memory grow with the number of trials and of images: exponents, 1 being linear and 0 flat.

    python tests/benchmarks/scaling.py [--doublings 3] [--json FILE]

`plan`: what is to run, of a storage with half of the trials finished, and its cost. `read`: all their records, as the
analysis does. `prepare`: Raabin-WBC, drawn, into arrays. Each size is a process of its own; time is the processor's,
without imports; memory is the process's peak. The exponent is that of the last doubling, where constant parts weigh
least.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from analysis.runs.from_storage import read_offline
from search_spaces.paper import TABLES
from study.costs.model import Costs
from study.costs.report import estimate
from study.plan import RunRecord, Trial, plan
from study.storage import Storage
from wbc_model.choices import Augmentation, ImageSource
from wbc_model.datasets.find import find
from wbc_model.datasets.raabin import DATASET as RAABIN
from wbc_model.datasets.spec import DataSpec
from wbc_model.preparation.cache import prepare
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.synthetic.folders import write

FIRST = {"plan": 4, "read": 4, "prepare": 1 / 32}
"""Seeds, of which each is 46 trials; share of the published images."""


def set_up(what: str, size: float, folder: Path) -> None:
    """What is measured needs."""
    if what == "prepare":
        write(folder, datasets=[RAABIN], share=size, side=64)
        return
    trials = plan(TABLES, seeds=range(int(size)))
    for trial in trials[:: 2 if what == "plan" else 1]:
        Storage(str(folder)).trial(trial.id).write("record.json", json.dumps(record(trial).to_json()).encode())


def record(trial: Trial) -> RunRecord:
    cells = trial.config.dataset.classes
    matrix = ConfusionMatrix(cells, tuple(tuple(10 * (i == j) for j in range(len(cells))) for i in range(len(cells))))
    curves = [{"epoch": epoch, "train_loss": 1.0, "seconds": 1.0} for epoch in range(trial.config.epochs)]
    return RunRecord(trial=trial, best_epoch=0, validation=matrix, test=matrix, curves=curves, seconds=1, provenance={})


def run(what: str, size: float, folder: Path) -> int:
    """The task; how many trials or images it was."""
    if what == "plan":
        trials, storage = plan(TABLES, seeds=range(int(size))), Storage(str(folder))
        estimate(
            TABLES,
            trials,
            storage.finished(),
            Costs.read(storage),
            cpus=1,
            gpus=None,
            gpu_price=None,
            keeps=lambda _: True,
        )
        return len(trials)
    if what == "read":
        return len(read_offline(folder).records)
    with tempfile.TemporaryDirectory() as cache:
        spec = DataSpec(dataset=RAABIN, images=ImageSource.DRAWN, augmentation=Augmentation.NONE, image_size=64)
        prepare(spec, data=folder, cache=Path(cache), workers=1)
    return len(find(RAABIN, folder))


def one(what: str, size: float, folder: Path) -> dict[str, float]:
    began = time.process_time()
    n = run(what, size, folder)
    seconds = time.process_time() - began
    return {"n": n, "seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def growth(what: str, doublings: int) -> dict[str, Any]:
    sizes = []
    for i in range(doublings + 1):
        with tempfile.TemporaryDirectory() as folder:
            set_up(what, FIRST[what] * 2**i, Path(folder))
            words = [sys.executable, __file__, "--one", what, str(FIRST[what] * 2**i), folder]
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
            sizes.append(json.loads(done.stdout.splitlines()[-1]))
    a, b = sizes[-2:]

    def exponent(name: str) -> float:
        return math.log(b[name] / a[name]) / math.log(b["n"] / a["n"])

    return {"sizes": sizes, "time_exponent": exponent("seconds"), "memory_exponent": exponent("peak_mb")}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--doublings", type=int, default=3, choices=range(1, 6))
    p.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    p.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.one:
        what, size, folder = args.one
        print(json.dumps(one(what, float(size), Path(folder))))
        return
    found = {what: growth(what, args.doublings) for what in FIRST}
    for what, facts in found.items():
        print(f"{what}: time exponent {facts['time_exponent']:.2f}, memory exponent {facts['memory_exponent']:.2f}")
        for size in facts["sizes"]:
            print(f"  {size['n']:>7} {size['seconds']:9.3f} s {size['peak_mb']:8.0f} MB")
    if args.json:
        args.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
