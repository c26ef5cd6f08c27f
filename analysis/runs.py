"""Read finished runs back from W&B: off a server, or from offline files. The only file here that imports wandb."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb
from pydantic import ValidationError

from analysis.predictions import Predictions, PredictionsOf
from study.plan import RunRecord
from study.storage import Storage
from study.wandb_log import read_log


def offline_runs(storage: Path) -> list[RunRecord]:
    """The finished runs in `storage/wandb/*run-*/run-*.wandb`, of offline runs and online ones.

    Raises:
        OSError: no such folder, or it cannot be read.
        ValueError: a file is not a W&B log, holds a record that cannot be read, or two hold one trial, both finished.
    """
    if not storage.is_dir():
        raise NotADirectoryError(f"{storage} is not a folder of runs")
    found: dict[str, tuple[Path, RunRecord]] = {}
    for file in _files(storage / "wandb"):
        run_id, summary, finished = _read(file)
        record = record_of(run_id, summary, finished=finished, where=str(file))
        if record is not None and run_id in found:
            raise ValueError(f"two finished runs of trial {run_id}: {found[run_id][0]} and {file}; remove one")
        if record is not None:
            found[run_id] = file, record
    return [record for _, record in found.values()]


def offline_predictions(storage: Path) -> PredictionsOf:
    """The per-image predictions of a finished trial, by its id: a file of its W&B run, or of its folder in storage."""

    def predictions(trial_id: str) -> Predictions | None:
        logged = next(iter((storage / "wandb").glob(f"*run-*-{trial_id}/files/predictions.npz")), None)
        content = logged.read_bytes() if logged else Storage(str(storage)).trial(trial_id).read("predictions.npz")
        return None if content is None else Predictions.from_npz(content)

    return predictions


def online_runs(path: str) -> list[RunRecord]:
    """The finished runs of `ENTITY/PROJECT`, from their summaries alone: a sampled history never reaches a table.

    Raises:
        LookupError: W&B cannot be asked, or has no such project.
    """
    try:
        runs = wandb.Api().runs(path, filters={"state": "finished"}, lazy=False)
        records = [record_of(r.id, r.summary_metrics, finished=r.state == "finished", where=r.id) for r in runs]
    except wandb.errors.Error as error:
        raise LookupError(f"cannot read {path} from W&B: {error}") from error
    return [record for record in records if record is not None]


def record_of(run_id: str, summary: Mapping[str, Any], *, finished: bool, where: str) -> RunRecord | None:
    """The record of a finished run; None for any other, and for a run under another PROTOCOL, whose id is another.

    Raises:
        ValueError: the summary's record is none that this version can read.
    """
    if not finished or "record" not in summary:
        return None
    try:
        record = RunRecord.from_json(json.loads(summary["record"]))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where}: a record that this version cannot read: {place}: {first['msg']}") from error
    return record if record.trial.id == run_id else None


def _files(root: Path) -> list[Path]:
    """Log files, by name. `glob` alone would take a folder that cannot be read for an empty one."""
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return [file for f in folders if "run-" in f.name for file in sorted(f.glob("run-*.wandb"))]


def _read(file: Path) -> tuple[str, dict[str, Any], bool]:
    """Run id, summary, and whether the run ended with exit code 0."""
    run_id, summary, finished = "", {}, False
    for record in read_log(file):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run_id = record.run.run_id
        elif kind == "summary":
            summary |= {item.key or ".".join(item.nested_key): item.value_json for item in record.summary.update}
        elif kind == "exit":
            finished = record.exit.exit_code == 0
    return run_id, {key: json.loads(value) for key, value in summary.items()}, finished
