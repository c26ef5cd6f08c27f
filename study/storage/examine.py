"""What is wrong with the files of a storage, and how each fault is mended (`study/storage/mend.py`)."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from upath import UPath

from study.costs.model import FILE as COSTS
from study.costs.model import Costs
from study.evaluate.evaluation import check_evaluation, evaluation_files
from study.evaluate.robustness import read_robustness, robustness_files
from study.plan import RunRecord
from study.storage.beside import check_file
from study.storage.manifests import kept_manifest
from study.storage.mend import (
    Mended,
    RecordsOf,
    keep,
    remove,
    restore_epochs,
    restore_file,
    restore_record,
    restore_revisions,
)
from study.storage.paths import is_draft, is_local, is_set_aside, listed, read_bytes
from study.storage.plans import PLAN, read_plan
from study.storage.revisions import read_revisions
from study.storage.trials import TRIAL_ID, Storage, TrialFiles
from study.trial.leases import is_damaged
from wbc_model.errors import Damaged, decoding
from wbc_model.files import check_zip, unsealed
from wbc_model.inference.model_info import FILE as MODEL

ALONE = ("predictions", "gradcam")
"""How the names of files begin that a record of an older version does not list."""
LEFT = 3600.0
"""Seconds without a write after which a file was left by a killed process: clocks of machines differ by less."""


@dataclass(frozen=True)
class Fault:
    """Something wrong with a file."""

    what: str
    mend: Callable[[], Mended] | None
    """None: it does no harm, and is left alone."""


def examine(storage: Storage, records_of: RecordsOf) -> Iterator[Fault]:
    """Read every file of a storage and of its searches, and compare it with the hash that is recorded of it.

    Raises:
        InputError: a record or plan that this version cannot read.
    """
    if is_local(storage.root):
        yield from _leftovers(Path(str(storage.root)))
    yield from _of_the_study(storage)
    for folder in listed(storage.root, "trials/*"):
        if TRIAL_ID.fullmatch(folder.name):
            yield from _trial(storage, storage.trial(folder.name), records_of)
        else:
            yield Fault(f"{folder} is no trial's", None)
    for folder in listed(storage.root, "searches/*"):
        yield from examine(Storage(str(folder)), records_of)


def _fault(look: Callable[[], object], mend: Callable[[], Mended]) -> Iterator[Fault]:
    """What a look at a file finds wrong with it, if anything."""
    try:
        look()
    except Damaged as error:
        yield Fault(str(error), mend)


def _leftovers(root: Path) -> Iterator[Fault]:
    """Drafts and folders that killed processes left."""
    for file in root.rglob(".*"):
        if is_draft(file.name) and file.is_file() and _is_left(file):
            yield Fault(f"{file} was never completed", partial(remove, file))
    for folder in (*root.glob("trials/*"), *root.glob("wandb/*")):
        if folder.is_dir() and not any(each.is_file() for each in folder.rglob("*")):
            yield Fault(f"{folder} is empty", partial(remove, folder))


def _is_left(file: Path | UPath) -> bool:
    try:
        return time.time() - file.stat().st_mtime > LEFT
    except FileNotFoundError:  # complete, or deleted, since it was listed
        return False


def _of_the_study(storage: Storage) -> Iterator[Fault]:
    """The files that are no trial's."""
    root = storage.root
    if (root / PLAN).exists():
        yield from _fault(partial(read_plan, storage), partial(keep, root / PLAN, "the next launch writes it"))
    yield from _fault(partial(Costs.read, storage), partial(keep, root / COSTS, "costs are learned again"))
    yield from _fault(partial(read_revisions, storage), partial(restore_revisions, storage))
    for file in (file for file in listed(root, "data/*-*.csv") if not is_set_aside(file.name)):
        name, _, fingerprint = file.stem.rpartition("-")
        again = partial(keep, file, "the next launch that trains with these images writes it")
        yield from _fault(partial(kept_manifest, root, dataset=name, fingerprint=fingerprint), again)
    for file in (*listed(root, "samples/*.json"), *root.glob("winner.json")):
        again = partial(keep, file, "the next launch of the search writes it")
        yield from _fault(partial(_read_object, file), again)


def _read_object(file: UPath) -> None:
    if not isinstance(unsealed(read_bytes(file), where=file), dict):
        raise Damaged(f"{file} is damaged: it is no JSON object")


def _trial(storage: Storage, files: TrialFiles, records_of: RecordsOf) -> Iterator[Fault]:
    try:
        record = files.record()
    except Damaged as error:
        yield Fault(str(error), partial(restore_record, files, records_of))
        return
    if record:
        yield from _finished(storage, files, record)
    elif files.read("record.json") is None:
        yield from _unfinished(files)


def _finished(storage: Storage, files: TrialFiles, record: RunRecord) -> Iterator[Fault]:
    for name in record.files or [file.name for file in files.folder.iterdir() if file.name.startswith(ALONE)]:
        if name == MODEL and not (files.folder / name).exists():
            yield Fault(f"{files.folder / name} is missing: the model can no longer be used", None)
            continue
        again = partial(restore_file, storage, files, record, name)
        yield from _fault(partial(_check_beside, files, record, name), again)
    yield from _fault(partial(_check_epochs, files, record), partial(restore_epochs, files, record))
    for file in evaluation_files(files):
        again = partial(keep, file, "study.evaluate tests the model again")
        yield from _fault(partial(check_evaluation, files, file), again)
    for file in robustness_files(files):
        again = partial(keep, file, "study.evaluate --altered tests the model again")
        yield from _fault(partial(read_robustness, file), again)
    for name in ("checkpoint.pt", "error.json"):
        if (file := files.folder / name).exists():
            yield Fault(f"{file} is left over: the trial is finished", partial(remove, file))


def _check_beside(files: TrialFiles, record: RunRecord, name: str) -> None:
    content, where = files.read(name), files.folder / name
    if content is None:
        raise Damaged(f"{where} is missing")
    check_file(record, name, content, where=where)


def _check_epochs(files: TrialFiles, record: RunRecord) -> None:
    if _as_text(files.epochs()) != _as_text(record.curves):
        raise Damaged(f"{files.folder / 'epochs.jsonl'} is damaged: it has other epochs than the record")


def _as_text(rows: Iterable[Mapping[str, float]]) -> str:
    """Rows in a form in which NaN equals NaN, and 0 equals 0.0."""
    return json.dumps([{name: float(value) for name, value in row.items()} for row in rows], sort_keys=True)


def _unfinished(files: TrialFiles) -> Iterator[Fault]:
    epochs, checkpoint, error = (files.folder / name for name in ("epochs.jsonl", "checkpoint.pt", "error.json"))
    yield from _fault(files.epochs, partial(keep, epochs, "the trial takes its epochs from its checkpoint"))
    yield from _fault(partial(_check_archive, checkpoint), partial(keep, checkpoint, "the trial starts anew"))
    yield from _fault(files.read_failure, partial(remove, error))
    for lease in listed(files.folder, "lease-*.json"):
        if is_damaged(lease) and _is_left(lease):
            yield Fault(f"{lease} is damaged: its holder is unknown, and silent", partial(remove, lease))


def _check_archive(file: UPath) -> None:
    if file.exists():
        content = read_bytes(file)
        with decoding(file):
            check_zip(content)
