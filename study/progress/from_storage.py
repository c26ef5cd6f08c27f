"""The progress of a study, read from its storage."""

from collections.abc import Sequence

from study.plan import Trial
from study.progress.live import BEST
from study.progress.table import Status, TrialProgress
from study.storage import Storage
from study.trial.leases import newest


def progress_of(storage: Storage, trials: Sequence[Trial]) -> dict[str, TrialProgress]:
    """Progress by trial id, as far as the files of each trial show."""
    finished = storage.finished()
    return {trial.id: _read(storage, trial, finished=trial.id in finished) for trial in trials}


def _read(storage: Storage, trial: Trial, *, finished: bool) -> TrialProgress:
    files = storage.trial(trial.id)
    rows = files.epochs()
    best = max((row[BEST] for row in rows), default=0.0)
    if finished:
        return TrialProgress(Status.DONE, len(rows), best)
    holder = newest(files.folder)[1]
    if holder is not None and holder.alive():
        return TrialProgress(Status.RUNNING, len(rows), best)
    return TrialProgress(Status.FAILED if files.failure() else Status.PENDING, len(rows), best)
