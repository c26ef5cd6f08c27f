"""Trials per hour against the number that share a machine's GPU (or, without one, its cores).

    python tests/benchmarks/packing.py [--at-once 1 2] [--json FILE] [-- --rehearse --tables 8]
    python tests/benchmarks/packing.py --at-once 1 2 4 8 -- --data ~/wbc --tables 5 --datasets lisc --set epochs=3
    python tests/benchmarks/packing.py --mps --at-once 1 2 4 8 -- ...

What follows `--` goes to `study/run.py`, once for each number, into a storage of its own, with an equal share of the
GPU (`--gpus`) or of the cores (`--cpus`) for each trial. The rate is that after the first trials have ended, so that
starting does not count; ask for several times as many trials as are packed. Without `--mps` processes that share a GPU
take turns; with it, where it may be started, their kernels run side by side. `alike` is the share of trials whose test
matrix is that of the first number's; on CPU the number of threads changes the rounding.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psutil
import torch

from study.plan import RunRecord
from study.storage import Storage

RUN = Path(__file__).parents[2] / "study" / "run.py"
REHEARSED = ["--rehearse", "--tables", "8"]


def launch(storage: Path, words: list[str], *, at_once: int, cache: Path) -> None:
    cores = psutil.cpu_count() or 1
    share = ["--gpus", f"{1 / at_once:.4g}"] if torch.cuda.is_available() else ["--cpus", f"{cores / at_once:g}"]
    command = [sys.executable, str(RUN), *words, *share, "--quiet", "--storage", str(storage), "--cache", str(cache)]
    subprocess.run(command, cwd=storage.parent, check=True)


@contextmanager
def mps(folder: Path) -> Iterator[None]:
    """NVIDIA's Multi-Process Service, for what is started meanwhile."""
    os.environ |= {"CUDA_MPS_PIPE_DIRECTORY": str(folder), "CUDA_MPS_LOG_DIRECTORY": str(folder)}
    subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True)
    try:
        yield
    finally:
        subprocess.run(["nvidia-cuda-mps-control"], input="quit\n", text=True, check=True)


def read(storage: Path, *, at_once: int) -> tuple[float, dict[str, RunRecord]]:
    """Trials per hour, once `at_once` are done, and the records."""
    ends = sorted(file.stat().st_mtime for file in storage.glob("trials/*/record.json"))
    if len(ends) <= at_once:
        raise ValueError(f"{len(ends)} trials are too few to pack {at_once}: ask for more --tables or --seeds")
    ledger = Storage(str(storage))
    records = {name: found for name in ledger.finished() if (found := ledger.trial(name).record())}
    return 3600 * (len(ends) - at_once) / (ends[-1] - ends[at_once - 1]), records


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--at-once", type=int, nargs="+", default=[1, 2], metavar="N")
    p.add_argument("--mps", action="store_true", help="with NVIDIA's Multi-Process Service")
    p.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    p.add_argument("words", nargs="*", default=REHEARSED, help="for study/run.py")
    args = p.parse_args()
    rates: dict[int, float] = {}
    alike: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as name, mps(Path(name)) if args.mps else nullcontext():
        folder, first = Path(name), {}
        for n in args.at_once:
            storage = folder / f"{n}"
            if rates and "--rehearse" in args.words:
                for part in ("data", "weights"):  # drawn and trained once
                    shutil.copytree(folder / f"{args.at_once[0]}" / part, storage / part)
            launch(storage, args.words, at_once=n, cache=folder / "cache")
            rates[n], records = read(storage, at_once=n)
            first = first or records
            alike[n] = sum(records[name].test == first[name].test for name in first) / len(first)
            print(f"{n} at once: {rates[n]:.1f} trials/hour, ratio {rates[n] / rates[args.at_once[0]]:.2f}, "
                  f"alike {alike[n]:.2f}", flush=True)  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps({"trials_per_hour": rates, "alike": alike}))


if __name__ == "__main__":
    main()
