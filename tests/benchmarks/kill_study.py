"""What is left of 46 trials when processes are killed, here and by the usual recipes.

    .venv/bin/python tests/benchmarks/kill_study.py [--kills 20] [--seed 0] [--out build/kill_study.json]

Here: the rehearsal's 46 trainings, killed (-9) at random moments, in turn the launcher, a worker, Ray's raylet or GCS,
W&B's client or all of them; then some of its files are damaged (emptied, cut, a bit flipped), and it is started again.
The peers run 46 trials that only sleep, through one kill and one failing trial, as their own documentation says to go
on: Ray Tune with `Tuner.restore`, Optuna with a grid and a storage. Takes about 20 minutes.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from launching import FAULTS, RUN, Place  # noqa: E402

TRIALS, EPOCHS = 46, 5
VICTIMS = ("launcher", "Runner", "raylet", "gcs_server", "wandb-core", "all")
DAMAGED = ("record.json", "checkpoint.pt", "epochs.jsonl", "lease-*.json", "predictions.npz")
Facts = dict[str, Any]


class Rehearsal(Place):
    """The study in miniature, with every epoch that begins on record."""

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(RUN), "--rehearse", "--storage", str(self.storage), "--cache", str(self.cache),
                "--quiet", *words, "--set", f"epochs={EPOCHS}", "image_size=32"]  # fmt: skip


def ours(folder: Path, *, kills: int, draw: random.Random) -> Facts:
    """Kill until it was killed often enough, then let it finish."""
    place = Rehearsal(folder, Path(), Path(), folder / "cache")
    made = place.run("--calibrate")  # draws the data and trains the trunks to transfer from
    assert made.returncode == 0, made.stderr
    (folder / "epochs.log").unlink()
    done, damaged = Counter[str](), 0
    while done.total() < kills and len(list(place.storage.glob("trials/*/record.json"))) < TRIALS:
        done[_disturb(place, draw, victim=VICTIMS[done.total() % len(VICTIMS)])] += 1
        damaged += _damage(place, draw)
        print(f"  {done.total()} kills, {len(place.records())} of {TRIALS} cells", file=sys.stderr, flush=True)
    last = place.run()
    reconcile = [sys.executable, "-m", "study.reconcile", "--repair", "--storage", str(place.storage)]
    repaired = subprocess.run(reconcile, env=place.environment() | {"WANDB_MODE": "offline"}, check=False)
    begun, histories = place.begun(), place.histories()
    whole = [runs == [(list(range(EPOCHS)), 0)] for runs in histories.values()]
    return {
        "kills": dict(done), "files damaged": damaged, "exit status": last.returncode,
        "exit status of a repair": repaired.returncode, "cells": len(place.records()),
        "runs in W&B": sum(map(len, histories.values())), "complete histories": sum(whole),
        "epochs redone": sum(begun.values()) - len(begun), "most often begun": max(begun.values()),
        "redone per kill": (sum(begun.values()) - len(begun)) / max(1, done.total()),
    }  # fmt: skip


def _disturb(place: Place, draw: random.Random, *, victim: str) -> str:
    """Start, wait until epochs are being done, and a little more, and kill; what was killed."""
    before = place.begun().total()
    with place.start() as launcher:
        while place.begun().total() < before + 2 and launcher.poll() is None:
            time.sleep(0.1)
        time.sleep(draw.uniform(0, 4))
        found = psutil.Process(launcher.pid).children(recursive=True)
        victims = [process for process in found if victim == "all" or victim in process.name()]
        for process in victims if victim == "all" else draw.sample(victims, min(1, len(victims))):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if victim not in ("launcher", "all"):
            time.sleep(draw.uniform(1, 4))
        launcher.kill()
    time.sleep(2)  # until its workers have noticed
    return victim


def _damage(place: Place, draw: random.Random) -> int:
    """Damage one file of each kind, if there is any; how many."""
    hit = 0
    for name in DAMAGED:
        if files := sorted(file for file in place.storage.glob(f"trials/*/{name}") if file.stat().st_size):
            file = draw.choice(files)
            content = file.read_bytes()
            at = draw.randrange(len(content))
            flipped = content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]
            file.write_bytes(draw.choice([b"", content[:at], flipped]))
            hit += 1
    return hit


RAY = """
import os, sys, time
from pathlib import Path
import ray
from ray import tune
folder, restore = Path(sys.argv[1]), sys.argv[2] == "restore"
def trial(config):
    start = 0
    if checkpoint := tune.get_checkpoint():
        start = int(Path(checkpoint.path, "epoch").read_text()) + 1
    for epoch in range(start, 5):
        with open(folder / "epochs.log", "a") as log:
            log.write(f"{config['i']} {epoch}\\n")
        if config["i"] == 7 and epoch == 2 and not (folder / "once").exists():
            (folder / "once").touch()
            raise OSError("once")
        time.sleep(0.2)
        Path(folder, f"c{config['i']}").mkdir(exist_ok=True)
        Path(folder, f"c{config['i']}", "epoch").write_text(str(epoch))
        tune.report({"epoch": epoch}, checkpoint=tune.Checkpoint(folder / f"c{config['i']}"))
ray.init(num_cpus=2, log_to_driver=False, logging_level="ERROR")
space = {"i": tune.grid_search(list(range(46)))}
config = tune.RunConfig(name="kill_study", storage_path=str(folder / "tune"), verbose=0)
at = str(folder / "tune" / "kill_study")
tuner = tune.Tuner.restore(at, trial) if restore and tune.Tuner.can_restore(at) else tune.Tuner(
    trial, param_space=space, run_config=config)
results = tuner.fit()
print(sum(r.error is None and r.metrics.get("epoch") == 4 for r in results))
"""

OPTUNA = """
import sys, time
from pathlib import Path
import optuna
folder = Path(sys.argv[1])
optuna.logging.set_verbosity(optuna.logging.ERROR)
def objective(trial):
    i = trial.suggest_int("i", 0, 45)
    for epoch in range(5):
        with open(folder / "epochs.log", "a") as log:
            log.write(f"{i} {epoch}\\n")
        if i == 7 and not (folder / "once").exists():
            (folder / "once").touch()
            raise OSError("once")
        time.sleep(0.2)
    return i
study = optuna.create_study(study_name="kill_study", storage=f"sqlite:///{folder}/kill_study.db", load_if_exists=True,
                            sampler=optuna.samplers.GridSampler({"i": list(range(46))}, seed=0))
study.optimize(objective, n_jobs=2, catch=(OSError,))
"""


def peer(script: str, folder: Path, *, again: str, cells: Callable[[str], int]) -> Facts:
    """Kill it once, 15 s after its first epoch began, and go on as its documentation says."""
    (folder / "peer.py").write_text(script)
    command = [sys.executable, str(folder / "peer.py"), str(folder)]
    log = folder / "epochs.log"
    with subprocess.Popen([*command, "new"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        while not log.exists():
            time.sleep(0.1)
        time.sleep(8)
        os.kill(first.pid, signal.SIGKILL)
    done = subprocess.run([*command, again], capture_output=True, text=True, check=False)
    begun = Counter(log.read_text().splitlines())
    return {"kills": 1, "exit status": done.returncode, "cells": cells(done.stdout),
            "epochs redone": begun.total() - len(begun)}  # fmt: skip


def optuna_cells(folder: Path) -> int:
    query = ("SELECT COUNT(DISTINCT p.param_value) FROM trials t JOIN trial_params p ON t.trial_id = p.trial_id "
             "WHERE t.state = 'COMPLETE'")  # fmt: skip
    with sqlite3.connect(folder / "kill_study.db") as connection:
        return int(connection.execute(query).fetchone()[0])


def overhead(folder: Path) -> float:
    """Seconds that a trial of one epoch takes beside its epoch, in a launch of many, start-up apart."""
    place = Rehearsal(folder, Path(), Path(), folder / "cache")
    done = place.run("--tables", "4", "--seeds", *map(str, range(4)))
    assert done.returncode == 0, done.stderr
    records = place.records()
    stamps = sorted(file.stat().st_mtime for file in place.storage.glob("trials/*/record.json"))
    steady = stamps[len(stamps) // 3 :]
    worked = sum(record.seconds for record in records.values()) / len(records)
    return max(0.0, (steady[-1] - steady[0]) / (len(steady) - 1) * 2 - worked)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kills", type=int, default=20)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, default=Path("build/kill_study.json"))
    args = p.parse_args()
    assert FAULTS.is_dir()
    found: dict[str, Facts] = {}
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / part for part in ("here", "ray", "optuna", "empty")]
        for folder in folders:
            folder.mkdir()
        here, ray, optuna, empty = folders
        found["here"] = ours(here, kills=args.kills, draw=random.Random(args.seed))
        found["here"]["overhead per trial, s"] = round(overhead(empty), 2)
        found["Ray Tune alone"] = peer(RAY, ray, again="restore", cells=lambda out: int(out.split()[-1] if out else 0))
        found["Optuna recipe"] = peer(OPTUNA, optuna, again="new", cells=lambda _: optuna_cells(optuna))
    for who, facts in found.items():
        print(f"{who}: " + ", ".join(f"{what} {value}" for what, value in facts.items()))
    for who in ("Ray Tune alone", "Optuna recipe"):
        lost = TRIALS - found[who]["cells"]
        print(f"cells lost, here / {who}: {TRIALS - found['here']['cells']} / {lost}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
