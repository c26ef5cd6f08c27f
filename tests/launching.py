"""A launcher as a process, on a study of seconds, with faults planted in its workers."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from upath import UPath

from study.plan import RunRecord
from study.storage import Storage, listed, root_of
from study.tracking.log_reader import read_log, values
from wbc_model.inference.model_info import FILE

RUN = Path(__file__).parents[1] / "study" / "run.py"
FAULTS = Path(__file__).parent / "faults"


def knobs(epochs: int) -> tuple[str, ...]:
    """Of a study of seconds, on drawn cells."""
    return (
        "--set",
        "images=drawn",
        "trunks=tiny",
        "image_size=32",
        "augmentation=none",
        f"epochs={epochs}",
        "lr=0.003",
    )


def wait_for(
    condition: Callable[[], object], process: subprocess.Popen[str] | None = None, *, seconds: float = 400
) -> None:
    """Until it holds; a process that ends before, or takes longer, is told with what it printed."""
    deadline = time.monotonic() + seconds
    while not condition():
        late = time.monotonic() > deadline
        if process is None:
            assert not late, f"not within {seconds} s"
        elif late or process.poll() is not None:
            process.kill()
            raise AssertionError(process.communicate()[0])
        time.sleep(0.05)


def timeless(record: RunRecord) -> RunRecord:
    """Without what depends on how often a trial was begun; the model's file holds its provenance, with the peak."""
    curves = [row | {"seconds": 0} for row in record.curves]
    files = {name: sha256 for name, sha256 in record.files.items() if name != FILE}
    return replace(record, seconds=0, curves=curves, files=files, provenance={**record.provenance, "peak": None})


@dataclass
class Place:
    """A folder with a study's storage, and how to launch it."""

    folder: Path
    data: Path | str
    weights: Path | str
    cache: Path
    storage_at: Path | None = None
    url: str = ""
    """Of the storage, where it is not a folder."""
    rules: list[dict[str, Any]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    epochs: int = 3
    clock: int = 0
    """Seconds by which its time of day is ahead."""

    @property
    def storage(self) -> Path:
        return self.storage_at or self.folder / "runs"

    @property
    def root(self) -> UPath:
        return root_of(self.url or str(self.storage))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(RUN), "--data", str(self.data), "--weights", str(self.weights), "--cache",
                str(self.cache), "--storage", str(self.root), *words, *knobs(self.epochs)]  # fmt: skip

    @property
    def faults(self) -> dict[str, str]:
        """The variables by which faults are planted."""
        planted = {"log": str(self.folder / "epochs.log"), "rules": self.rules, "clock": self.clock}
        return {"PYTHONPATH": str(FAULTS), "WBC_FAULTS": json.dumps(planted)}

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        return kept | self.faults | self.env

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), cwd=self.folder, env=self.environment(), capture_output=True,
                              text=True, check=False, timeout=600)  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command(*words), cwd=self.folder, env=self.environment(), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip

    def once(self, network: str, epoch: int | str, do: str) -> None:
        self.rules.append(
            {"network": network, "epoch": epoch, "do": do, "once": str(self.folder / f"once-{network}-{do}")}
        )

    def always(self, network: str, epoch: int | str, do: str) -> None:
        self.rules.append({"network": network, "epoch": epoch, "do": do})

    def begun(self) -> Counter[tuple[str, int]]:
        """How often each epoch of each trial was begun."""
        log = self.folder / "epochs.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return Counter((name, int(epoch)) for name, epoch in (line.split() for line in lines))

    def records(self) -> dict[str, RunRecord]:
        storage = Storage(str(self.root))
        found = {name: storage.trial(name).record() for name in storage.finished()}
        return {record.trial.name: record for record in found.values() if record}

    def histories(self) -> dict[str, list[tuple[list[int], int]]]:
        """Of each trial, by its name: epochs and exit code of each of its W&B logs."""
        found: dict[str, list[tuple[list[int], int]]] = {}
        for log in listed(self.root, "wandb/*/run-*.wandb"):
            name, epochs, code = "", [], -1
            for record in read_log(log):
                kind = record.WhichOneof("record_type")
                if kind == "run":
                    name = record.run.display_name.split(" seed=")[0]
                elif kind == "history":
                    row = values(record.history.item)
                    epochs += [int(row["epoch"])] if "epoch" in row else []
                elif kind == "exit":
                    code = record.exit.exit_code
            found.setdefault(name, []).append((epochs, code))
        return found
