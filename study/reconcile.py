"""Compare W&B's runs with storage, epoch by epoch, and repair them: `python -m study.reconcile`."""

import argparse
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from study.arguments import add_project, add_storage
from study.plan import RunRecord
from study.settings import Settings
from study.storage import Storage, place, predictions_file
from study.tracking.comparison import Replica, differences, in_storage
from study.tracking.content import log_again, log_provenance, summarise
from study.tracking.model_artifact import log_model
from study.tracking.wandb_run import check, mode, on_server, tracked
from wbc_model.errors import reports_input_errors, validating
from wbc_model.inference.model_file import FILE

EXAMPLES = """examples:
  python -m study.reconcile                     compare with the run logs in runs/ or, with a key, with W&B's server
  python -m study.reconcile --repair            ... and rewrite what is missing
  WANDB_MODE=online python -m study.reconcile --repair      bring an offline study to the server

exit status: 0 they agree, 1 they differ, 2 one of them cannot be read
"""


def compare(records: Iterable[RunRecord], settings: Settings) -> Iterator[tuple[RunRecord, list[str]]]:
    """Each record with the differences of its W&B run, in words.

    Raises:
        InputError: W&B does not answer, or a file in storage is no W&B log.
    """
    for record in records:
        runs = _runs(record.trial.id, settings)
        several = [f"it has {len(runs)} runs instead of one"] if len(runs) > 1 else []
        kept = Storage(settings.storage).trial(record.trial.id).size(FILE) > 0
        yield record, several or differences(record, runs[0] if runs else None, kept=kept)


def _runs(run_id: str, settings: Settings) -> list[Replica]:
    if settings.tracking == "online":
        return [found] if (found := on_server(settings, run_id)) else []
    return in_storage(Storage(settings.storage), run_id)


def replay(record: RunRecord, settings: Settings) -> None:
    """Rewrite a finished trial's run from storage; online, only epochs after the server's last can be added."""
    files = Storage(settings.storage).trial(record.trial.id)
    picture = files.read("gradcam.png")
    with tracked(record.trial, settings) as run:
        log_provenance(run, record.provenance)
        log_again(run, record.curves)
        shown = np.asarray(Image.open(io.BytesIO(picture))) if picture else None
        names = map(predictions_file, (None, *record.elsewhere))
        if summarise(run, record, predictions={name: files.read(name) or b"" for name in names}, picture=shown):
            log_model(run, record, Storage(settings.storage))


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m study.reconcile",
        description="Compare the runs in W&B with the trials in storage, which are authoritative.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_storage(p, help="folder or URL of the study's results (runs)")
    p.add_argument("--repair", action="store_true", help="write what W&B lacks, from storage")
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
    found = [storage.trial(name).record() for name in sorted(storage.finished())]
    records = [record for record in found if record]
    return report(records, settings, repair=args.repair)


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
        print(f"{record.trial.id}  {record.trial.name}: {'; '.join(found)}", file=sys.stderr)
    print(f"{len(records) - len(differing)} of {len(records)} finished trials agree with {where}, each epoch once.",
          file=sys.stderr)  # fmt: skip
    if differing and not repair:
        print("python -m study.reconcile --repair writes what is missing.", file=sys.stderr)
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
