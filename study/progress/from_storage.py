"""The progress of a study, read from its storage."""

from collections.abc import Iterable, Mapping, Sequence

from study.plan import Trial
from study.progress.live import BEST
from study.progress.table import Status, TrialProgress
from study.storage import Storage, TrialFiles
from study.trial.leases import newest
from wbc_model.errors import Damaged


def progress_of(storage: Storage, trials: Sequence[Trial]) -> dict[str, TrialProgress]:
    """Progress by trial id, as far as the files of each trial show."""
    return {trial.id: _read(storage.trial(trial.id)) for trial in trials}


def _read(files: TrialFiles) -> TrialProgress:
    rows, damaged = [], []
    try:
        if record := files.record():
            return TrialProgress(Status.DONE, len(record.curves), _best(record.curves))
    except Damaged as error:
        damaged.append(str(error))
    try:
        rows = files.epochs()
    except Damaged as error:
        damaged.append(str(error))
    holder = newest(files.folder)[1]
    if holder is not None and holder.alive():
        status = Status.RUNNING
    else:
        status = Status.FAILED if files.failure() else Status.PENDING
    return TrialProgress(status, len(rows), _best(rows), damaged)


def _best(rows: Iterable[Mapping[str, float]]) -> float:
    return max((row[BEST] for row in rows), default=0.0)
