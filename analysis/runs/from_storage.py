"""Runs from a study's storage: the logs that W&B writes of runs, and the trials' own records."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from upath import UPath

from analysis.runs.reading import Copy, Reading, match
from study.storage import Storage, listed, read_bytes
from study.tracking.log_reader import read_log
from wbc_model.errors import InputError


@dataclass(frozen=True)
class Log:
    """The final state of a run, from its log."""

    file: UPath
    run_id: str = ""
    record: str | None = None
    """JSON, from the summary."""
    exit_code: int | None = None
    """None: the run was not closed, or its log is truncated."""
    problem: str = ""
    """Why it cannot be read; empty if it can."""


def read_offline(root: UPath) -> Reading:
    """Finished runs in `root/wandb`, and the records in `root/trials` of finished trials without a W&B run.

    Of several log files of one trial, the one of a successful run counts. If several were successful and differ, none
    counts and a problem is reported.

    Raises:
        InputError: no such folder or bucket, or it cannot be read.
    """
    _require(root)
    reading, storage = Reading(), Storage(str(root))
    finished: dict[str, list[Log]] = defaultdict(list)
    logs = [_read(file) for file in _files(root / "wandb")]
    for log in logs:
        if log.problem:
            reading.problems.append(log.problem)
        elif log.exit_code == 0 and log.record is not None:
            finished[log.run_id].append(log)
    for run_id, same in finished.items():
        if len({log.record for log in same}) > 1:
            files = " and ".join(str(log.file) for log in same)
            reading.problems.append(f"two finished runs of trial {run_id} that differ: {files}; remove one")
        else:
            fetch = partial(_fetch, reading, storage, run_id, same[-1].file.parent / "files")
            reading.add(run_id, same[-1].record or "", fetch, where=str(same[-1].file))
    _add_untracked(reading, storage, tracked=set(finished))
    reading.unfinished = _reasons(storage, logs, finished=set(finished) | set(reading.runs))
    return reading


def _require(root: UPath) -> None:
    try:
        there = root.is_dir()
    except Exception as error:  # the client of each object store raises its own
        raise InputError(
            f"{root} cannot be read: {error}; name a folder, or give what its client wants (AWS_ACCESS_KEY_ID, "
            "AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS, ...)"
        ) from error
    if not there:
        raise InputError(f"{root} is not a folder of runs")


def _files(root: UPath) -> list[UPath]:
    """Log files, by name. `glob` alone would treat an unreadable folder as empty."""
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return [file for f in folders if "run-" in f.name for file in sorted(f.glob("run-*.wandb"))]


def _read(file: UPath) -> Log:
    """Read the record in the summary and the exit code; the history is skipped, as tables do not use it."""
    run_id, record, exit_code = "", None, None
    try:
        for message in read_log(file):
            kind = message.WhichOneof("record_type")
            if kind == "run":
                run_id = message.run.run_id
            elif kind == "summary":
                record = next((i.value_json for i in message.summary.update if i.key == "record"), record)
            elif kind == "exit":
                exit_code = message.exit.exit_code
    except InputError as error:
        return Log(file, problem=str(error))
    return Log(file, run_id, json.loads(record) if record else None, exit_code)


def _fetch(reading: Reading, storage: Storage, trial_id: str, logged: UPath | None, name: str) -> bytes | None:
    """A file of a run, from its W&B files or else from the trial's folder in storage; None if neither has it whole.

    Args:
        logged: folder of the W&B files; None if there is no run.
    """
    return reading.intact(trial_id, name, _copies(storage, trial_id, logged, name))


def _copies(storage: Storage, trial_id: str, logged: UPath | None, name: str) -> Iterator[Copy]:
    if logged:
        pictures = [f"media/images/{picture.name}" for picture in (logged / "media" / "images").glob("*")]
        if found := name if (logged / name).is_file() else match(name, pictures):
            yield Copy(found, str(logged / found), read_bytes(logged / found))
    files = storage.trial(trial_id)
    if (content := files.read(name)) is not None:
        yield Copy(name, str(files.folder / name), content)


def _add_untracked(reading: Reading, storage: Storage, *, tracked: set[str]) -> None:
    """Add the records of finished trials without a W&B run: W&B was disabled, or its files are lost."""
    untracked = []
    for trial_id in storage.recorded():
        files = storage.trial(trial_id)
        try:
            record = files.record()
        except InputError as error:
            reading.problems.append(str(error))
            continue
        if record and trial_id not in tracked:
            untracked.append(trial_id)
            fetch, where = partial(_fetch, reading, storage, trial_id, None), str(files.folder / "record.json")
            reading.add(trial_id, json.dumps(record.to_json()), fetch, where=where)
    if untracked:
        reading.notes.append(
            f"{len(untracked)} finished trials have no W&B run that can be read; taken from their own records in "
            f"{storage.root}: {', '.join(untracked[:5])}{', ...' if len(untracked) > 5 else ''}"
        )


def _reasons(storage: Storage, logs: list[Log], *, finished: set[str]) -> dict[str, str]:
    """Why each unfinished trial has no result: its last recorded failure, else how its W&B run ended."""
    reasons = {
        log.run_id: "still running, or interrupted"
        if log.exit_code is None
        else f"ended with exit code {log.exit_code}"
        for log in logs
        if log.run_id and log.run_id not in finished and log.exit_code != 0
    }
    for file in listed(storage.root, "trials/*/error.json"):
        trial_id = file.parent.name
        if trial_id not in finished and (failure := storage.trial(trial_id).failure()):
            reasons[trial_id] = f"{failure.kind}: {failure.error}"
    return reasons
