"""Wall time of a rehearsal, from nothing to its tables, and the share of it that is not training.

    python tests/benchmarks/rehearsal.py [--json FILE] [-- --tables 8 --cpus 1]

What follows `--` goes to `study/run.py --rehearse`. The stages: set-up (drawing, transfer weights, preparing), trials
(from the launch, workers' start included, to the last record), tables. A record counts the seconds that its trial
trained, validated and tested: `orchestration` is the share of the cores' time in the stage of the trials that no record
counts, `not_training` the same of the whole.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from study.storage import Storage

RUN = Path(__file__).parents[2] / "study" / "run.py"


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    p.add_argument("words", nargs="*", help="for study/run.py")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        storage = folder / "runs"
        command = [sys.executable, str(RUN), "--rehearse", "--quiet", "--storage", str(storage),
                   "--cache", str(folder / "cache"), *args.words]  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        began = time.time()
        done = subprocess.run(command, cwd=folder, env=kept, check=False)
        ended = time.time()
        found = figures(storage, began=began, ended=ended) | {"exit_status": done.returncode}
    for what, value in found.items():
        print(f"{what.replace('_', ' ')}: {value:.3g}")
    if args.json:
        args.json.write_text(json.dumps(found))


def figures(storage: Path, *, began: float, ended: float) -> dict[str, float]:
    """Stages in seconds, by when their files were written; shares of all cores' time."""
    ledger = Storage(str(storage))
    records = [record for name in ledger.finished() if (record := ledger.trial(name).record())]
    assert records, "no trial has finished"
    launched = (storage / "plan.json").stat().st_mtime
    last = max(file.stat().st_mtime for file in storage.glob("trials/*/record.json"))
    cores = psutil.cpu_count() or 1
    trained = sum(record.seconds for record in records)
    return {
        "trials": len(records),
        "wall_seconds": ended - began,
        "set_up_seconds": launched - began,
        "trials_seconds": last - launched,
        "tables_seconds": ended - last,
        "training_core_seconds": trained,
        "orchestration": 1 - trained / (cores * (last - launched)),
        "not_training": 1 - trained / (cores * (ended - began)),
    }


if __name__ == "__main__":
    main()
