"""Images per second and peak memory of training the proposed model: `fit`, against plain PyTorch loops.

    python tests/benchmarks/trial.py [--steps 4] [--repeats 3] [--threads 2] [--peak TFLOPS] [--json FILE]

All train the same network from random weights at 224 px, batch 16, with mixup, on the GPU if there is one. The peers
decode and resize JPEGs with `ImageFolder` and a `DataLoader`, as scripts do: `plain` in fp32, `amp` with bf16 autocast
and channels-last memory (what timm's training script is told with `--amp --amp-dtype bfloat16 --channels-last`). Ours
reads the prepared arrays; on a GPU its steps are captured, and `eager` is the same without. fp32 is fp32 for all: no
TF32. Each measurement is a process of its own, in turn; the first epoch of two warms up. Images per second of processor
time, workers included, say the same as the wall on CPU where something else runs beside.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from wbc_model.choices import CELLS, Init, Precision
from wbc_model.config import TrialConfig
from wbc_model.describe import measure
from wbc_model.models import TwoBranch
from wbc_model.networks.build import build
from wbc_model.preparation.image_set import ImageSet
from wbc_model.synthetic.cells import draw_cell
from wbc_model.training.device import choose
from wbc_model.training.train import fit

CONFIG = TrialConfig(model=TwoBranch(resnet=Init.RANDOM, densenet=Init.RANDOM), epochs=2)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
Facts = dict[str, float]


def write(folder: Path, *, images: int, side: int) -> None:
    """The same pictures as JPEGs in a folder a class, and as an array of `image_size`."""
    rng, size, pixels = np.random.default_rng(0), CONFIG.image_size, []
    for i in range(images):
        cell = CELLS[i % len(CELLS)]
        small = draw_cell(cell, rng, height=size, width=size, fill=0.5).pixels
        pixels.append(small)
        (folder / "jpeg" / cell).mkdir(parents=True, exist_ok=True)
        large = cv2.resize(small[..., ::-1], (side, side), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / "jpeg" / cell / f"{i}.jpg"), large)
    np.save(folder / "pixels.npy", np.stack(pixels))


def ours(folder: Path, precision: Precision, *, capture: bool) -> list[Facts]:
    choose()
    pixels = np.load(folder / "pixels.npy", mmap_mode="c")
    labels = np.arange(len(pixels)) % len(CELLS)
    train = ImageSet(pixels, labels, tuple(map(str, labels)), CELLS)
    one = ImageSet(pixels[:1], labels[:1], ("0",), CELLS)
    config = replace(CONFIG, precision=precision)
    epochs = fit(build(config, seed=0), train, one, config, seed=0, device=DEVICE, capture=capture)
    return [timed(lambda: next(epochs)) for _ in range(config.epochs)]


def peer(folder: Path, *, amp: bool, workers: int) -> list[Facts]:
    torch.backends.cudnn.allow_tf32 = False
    size = CONFIG.image_size
    way = transforms.Compose([transforms.Resize((size, size)), transforms.ToTensor()])
    loader = DataLoader(ImageFolder(str(folder / "jpeg"), way), batch_size=CONFIG.batch_size, shuffle=True,
                        num_workers=workers, drop_last=True, pin_memory=DEVICE == "cuda",
                        persistent_workers=workers > 0)  # fmt: skip
    layout = torch.channels_last if amp else torch.contiguous_format
    model = build(CONFIG, seed=0).to(DEVICE, memory_format=layout).train()
    optimizer = torch.optim.RAdam(model.parameters(), lr=CONFIG.lr)

    def epoch() -> None:
        loss_sum, correct = 0.0, 0
        for x, labels in loader:
            x, y = x.to(DEVICE, memory_format=layout), F.one_hot(labels, len(CELLS)).float().to(DEVICE)
            lam, order = np.random.default_rng().beta(0.2, 0.2), torch.randperm(len(x))
            x, y = lam * x + (1 - lam) * x[order], lam * y + (1 - lam) * y[order]
            with torch.autocast(DEVICE, torch.bfloat16, enabled=amp):
                logits = model(x)
                loss = F.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item()
            correct += (logits.argmax(1) == y.argmax(1)).sum().item()

    return [timed(epoch) for _ in range(CONFIG.epochs)]


def timed(epoch: Callable[[], object]) -> Facts:
    """Seconds on the wall, and of the processor."""
    began, spent = time.perf_counter(), _processor()
    epoch()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return {"seconds": time.perf_counter() - began, "processor": _processor() - spent}


def _processor() -> float:
    """Seconds so far, of this process and of the workers, which start in the first epoch and stay."""
    me = psutil.Process()
    uses = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(use.user + use.system for use in uses)


def _peak_gb() -> float:
    """Of the GPU, or of this process without its workers."""
    if DEVICE == "cuda":
        return torch.cuda.max_memory_reserved() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def one(name: str, folder: Path, args: argparse.Namespace) -> Facts:
    """In a process of its own: the second epoch of one contender."""
    torch.set_num_threads(args.threads)
    contenders: dict[str, Callable[[], list[Facts]]] = {
        "plain": lambda: peer(folder, amp=False, workers=args.workers),
        "amp": lambda: peer(folder, amp=True, workers=args.workers),
        "eager": lambda: ours(folder, Precision.FP32, capture=False),
        "ours": lambda: ours(folder, Precision.FP32, capture=True),
        "eager bf16": lambda: ours(folder, Precision.BF16, capture=False),
        "ours bf16": lambda: ours(folder, Precision.BF16, capture=True),
    }
    facts = contenders[name]()[-1]
    images = args.steps * CONFIG.batch_size
    return {"images_per_second": images / facts["seconds"], "images_per_processor_second": images / facts["processor"],
            "peak_gb": _peak_gb()}  # fmt: skip


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--steps", type=int, default=4, help="of the timed epoch")
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--threads", type=int, default=2, help="of torch, in all contenders")
    p.add_argument("--workers", type=int, default=2, help="of the peers' DataLoader")
    p.add_argument("--side", type=int, default=1280, help="of the JPEGs in pixels; LDWBC is published at 1280")
    p.add_argument("--peak", type=float, metavar="TFLOPS", help="of the device, for model FLOP utilisation")
    p.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    p.add_argument("--one", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.one:
        print(json.dumps(one(args.one[0], Path(args.one[1]), args)))
        return
    names = ["plain", "amp", "ours", "ours bf16"] + ["eager", "eager bf16"] * (DEVICE == "cuda")
    runs: dict[str, list[Facts]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), images=args.steps * CONFIG.batch_size, side=args.side)
        for _ in range(args.repeats):
            for name in runs:
                command = [sys.executable, __file__, *sys.argv[1:], "--one", name, folder]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                runs[name].append(json.loads(done.stdout.splitlines()[-1]))
                print(f"  {name}: {runs[name][-1]}", file=sys.stderr, flush=True)
    show(runs, args)


def show(runs: dict[str, list[Facts]], args: argparse.Namespace) -> None:
    """Medians, ratios to the plain loop, and the share of the device's arithmetic that the model's takes."""
    found: dict[str, Any] = {
        name: {what: statistics.median(run[what] for run in each) for what in each[0]} for name, each in runs.items()
    }
    flops = 2e9 * measure(CONFIG)[2]
    for facts in found.values():
        for what in ("images_per_second", "images_per_processor_second"):
            facts[f"{what}_ratio"] = facts[what] / found["plain"][what]
        facts["tflops"] = facts["images_per_second"] * flops / 1e12
        facts |= {"utilisation": facts["tflops"] / args.peak} if args.peak else {}
    for name, facts in found.items():
        print(f"{name:10}" + ", ".join(f"{what.replace('_', ' ')} {value:.3g}" for what, value in facts.items()))
    if args.json:
        machine = torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu"
        args.json.write_text(json.dumps({"machine": machine, "threads": args.threads, "runs": runs, "found": found}))


if __name__ == "__main__":
    main()
