"""Compare a trial's W&B run with its files in storage."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from upath import UPath

from study.plan import RunRecord
from study.storage import Storage, listed, read_bytes
from study.tracking.log_reader import read_log, values
from wbc_model.files import sha256


@dataclass(frozen=True)
class Replica:
    """W&B's copy of a trial: a run, read from a server or from its log file."""

    state: str
    """`finished` unless something went wrong."""
    rows: Sequence[Mapping[str, Any]]
    """The logged epochs, in order."""
    record: str | None
    """The summary's record, as JSON."""
    model: bool = True
    """Whether the run has the trial's model; False only where that can be seen, on a server."""


def in_storage(storage: Storage, run_id: str) -> list[Replica]:
    """The run's log files in storage, of which there should be one.

    Raises:
        Damaged: a file is no W&B log, or a damaged one.
    """
    return [_read(file) for file in listed(storage.root, f"wandb/*-{run_id}/run-{run_id}.wandb")]


def damaged_copies(storage: Storage, record: RunRecord) -> list[str]:
    """W&B's copies in storage of a trial's predictions that are not what was predicted, in words."""
    names = [name for name in record.files if name.endswith(".npz")]
    runs = listed(storage.root, f"wandb/*-{record.trial.id}")
    copies = [(name, run / "files" / name) for run in runs for name in names]
    return [f"its copy of {name} is damaged" for name, file in copies if not _is_right(file, record.files[name])]


def _is_right(file: UPath, hashed: str) -> bool:
    return file.exists() and sha256(read_bytes(file)) == hashed


def differences(record: RunRecord, replica: Replica | None, *, kept: bool = False) -> list[str]:
    """How W&B's copy differs from the trial's own files, in words; empty if they agree epoch by epoch.

    Args:
        kept: whether the trial has kept its model.
    """
    if replica is None:
        return ["W&B has no run for it"]
    found = [] if replica.state == "finished" else [f"its run is {replica.state}, not finished"]
    times = Counter(int(row["epoch"]) for row in replica.rows)
    wanted = {int(row["epoch"]): row for row in record.curves}
    if missing := sorted(wanted.keys() - times.keys()):
        found.append(f"epochs missing: {_listed(missing)}")
    if more := sorted([*(times.keys() - wanted.keys()), *(epoch for epoch, count in times.items() if count > 1)]):
        found.append(f"epochs logged twice, or never trained: {_listed(more)}")
    logged = {int(row["epoch"]): row for row in replica.rows}
    if other := sorted(epoch for epoch in wanted.keys() & logged.keys() if not _same(wanted[epoch], logged[epoch])):
        found.append(f"epochs with different values: {_listed(other)}")
    if replica.record is None:
        found.append("its summary has no record")
    elif not _same_record(record, replica.record):
        found.append("its summary has a different record")
    if kept and not replica.model:
        found.append("its run has no model")
    return found


def _same_record(ours: RunRecord, theirs: str) -> bool:
    """Whether two records are equal, apart from fields that did not exist when `theirs` was written."""
    try:
        return RunRecord.from_json(json.loads(theirs)).to_json() == ours.to_json()
    except ValueError:
        return False


def _same(ours: Mapping[str, float], theirs: Mapping[str, Any]) -> bool:
    return all(math.isclose(value, theirs.get(name, math.nan), rel_tol=1e-9) for name, value in ours.items())


def _listed(epochs: Sequence[int]) -> str:
    return ", ".join(map(str, epochs[:5])) + (f" and {len(epochs) - 5} more" if len(epochs) > 5 else "")


def _read(file: UPath) -> Replica:
    state, rows, record = "not closed", [], None
    for each in read_log(file):
        kind = each.WhichOneof("record_type")
        if kind == "history":
            row = values(each.history.item)
            rows += [{name: json.loads(value) for name, value in row.items()}] if "epoch" in row else []
        elif kind == "summary":
            kept = values(each.summary.update)
            record = json.loads(kept["record"]) if "record" in kept else record
        elif kind == "exit":
            state = "finished" if each.exit.exit_code == 0 else "failed"
    return Replica(state, rows, record)
