"""Examine a storage, compare W&B's runs with it epoch by epoch, and repair both: `python -m study.reconcile`."""

import argparse
import io
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from study.arguments import add_project, add_storage
from study.plan import RunRecord
from study.settings import Settings
from study.storage import Storage, place, predictions_file
from study.storage.examine import examine
from study.storage.mend import restore_record
from study.tracking.comparison import Replica, damaged_copies, differences, in_storage
from study.tracking.content import log_again, log_provenance, summarise
from study.tracking.model_artifact import log_model
from study.tracking.wandb_run import check, mode, on_server, tracked
from wbc_model.errors import Damaged, reports_input_errors, validating
from wbc_model.inference.model_info import FILE
from wbc_model.plain_text import printable

EXAMPLES = """examples:
  python -m study.reconcile                     compare with the run logs in runs/ or, with a key, with W&B's server
  python -m study.reconcile --repair            ... and rewrite what is missing
  WANDB_MODE=online python -m study.reconcile --repair      bring an offline study to the server

exit status: 0 every file is whole and they agree, 1 something is damaged or they differ, 2 nothing can be compared
"""


def compare(records: Iterable[RunRecord], settings: Settings) -> Iterator[tuple[RunRecord, list[str]]]:
    """Each record with the differences of its W&B run, in words.

    Raises:
        InputError: W&B does not answer.
    """
    for record in records:
        try:
            yield record, _differences(record, settings)
        except Damaged as error:
            yield record, [str(error)]


def _differences(record: RunRecord, settings: Settings) -> list[str]:
    storage = Storage(settings.storage)
    kept = storage.trial(record.trial.id).size(FILE) > 0
    if settings.tracking == "online":
        return differences(record, on_server(settings, record.trial.id), kept=kept)
    runs = in_storage(storage, record.trial.id)
    if len(runs) > 1:
        return [f"it has {len(runs)} runs instead of one"]
    found = differences(record, runs[0] if runs else None, kept=kept)
    return found + (damaged_copies(storage, record) if runs else [])


def records_in_wandb(settings: Settings, run_id: str) -> list[str]:
    """The records, as JSON, of a trial's runs that were finished: those in storage, then the server's."""
    runs: list[Replica | None] = []
    with suppress(Damaged):
        runs += in_storage(Storage(settings.storage), run_id)
    if settings.tracking == "online":
        runs.append(on_server(settings, run_id))
    return [run.record for run in runs if run and run.record and run.state == "finished"]


def restore_records(settings: Settings, *, of: Collection[str]) -> set[str]:
    """Restore the records of trials that are damaged, or set them aside, and say so; ids of those finished then."""
    storage = Storage(settings.storage)
    records = storage.records()
    damaged = {name: problem for name, problem in records.damaged.items() if name in of}
    for name, problem in damaged.items():
        mended = restore_record(storage.trial(name), partial(records_in_wandb, settings))
        print(f"{problem}; {mended.done}", file=sys.stderr)
    return storage.finished() if damaged else set(records.intact)


def replay(record: RunRecord, settings: Settings) -> None:
    """Rewrite a finished trial's run from storage; online, only epochs after the server's last can be added."""
    files = Storage(settings.storage).trial(record.trial.id)
    picture = files.read("gradcam.png")
    with tracked(record.trial, settings) as run:
        log_provenance(run, record.provenance)
        log_again(run, record.curves)
        shown = np.asarray(Image.open(io.BytesIO(picture))) if picture else None
        names = map(predictions_file, (None, *record.elsewhere))
        predictions = {name: content for name in names if (content := files.read(name)) is not None}
        if summarise(run, record, predictions=predictions, picture=shown):
            log_model(run, record, Storage(settings.storage))


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m study.reconcile",
        description="Examine the files in storage, and compare with them the runs in W&B, which are copies.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_storage(p, help="folder or URL of the study's results (runs)")
    p.add_argument("--repair", action="store_true",
                   help="restore damaged files or set them aside, and write what W&B lacks, from storage")  # fmt: skip
    add_project(p)
    return p


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    storage = Storage(place(args.storage))
    with validating():
        settings = Settings(
            data=Path(), cache=Path(), storage=place(args.storage), tracking=mode(offline=False),
            project=args.project, entity=args.entity,
        )  # fmt: skip
    check(settings)
    whole = examined(storage, settings, repair=args.repair)
    records = list(storage.records().intact.values())
    return max(report(records, settings, repair=args.repair), int(not whole))


def examined(storage: Storage, settings: Settings, *, repair: bool) -> bool:
    """Print what is wrong with files and, after a repair, what was done about it; whether nothing is left to do."""
    told: set[str] = set()
    whole, again = True, True
    while again:  # what lies beside a record is looked at when the record is restored
        again = False
        found = list(examine(storage, partial(records_in_wandb, settings)))
        for fault in [fault for fault in found if fault.what not in told]:
            mended = fault.mend() if repair and fault.mend else None
            print(f"{fault.what}; {mended.done}" if mended else fault.what, file=sys.stderr)
            told.add(fault.what)
            whole &= fault.mend is None or (mended is not None and mended.whole)
            again |= mended is not None
    if not whole and not repair:
        print("python -m study.reconcile --repair restores these from W&B, or sets them aside.", file=sys.stderr)
    return whole


def report(records: Sequence[RunRecord], settings: Settings, *, repair: bool = False) -> int:
    """Print what differs, after a repair what still does; 0 if nothing does, else 1."""
    where = "W&B's server" if settings.tracking == "online" else "the run logs in storage"
    compared = compare(tqdm(records, desc=f"comparing with {where}", unit=" trials", disable=None), settings)
    differing = [(record, found) for record, found in compared if found]
    if repair:
        for record, _ in tqdm(differing, desc="repairing", unit=" runs", disable=None):
            replay(record, settings)
        differing = [pair for pair in compare([record for record, _ in differing], settings) if pair[1]]
    for record, found in differing:
        print(printable(f"{record.trial.id}  {record.trial.name}: {'; '.join(found)}"), file=sys.stderr)
    print(f"{len(records) - len(differing)} of {len(records)} finished trials agree with {where}, each epoch once.",
          file=sys.stderr)  # fmt: skip
    if differing and not repair:
        print("python -m study.reconcile --repair writes what is missing.", file=sys.stderr)
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
