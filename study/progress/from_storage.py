"""New."""

from collections.abc import Sequence

from study.plan import Trial
from study.progress.live import BEST
from study.progress.table import Status, TrialProgress
from study.storage import Storage
from study.trial.leases import newest


def standings(storage: Storage, trials: Sequence[Trial]) -> dict[str, TrialProgress]:
    """Of each planned trial, as far as its files tell."""
    finished = storage.finished()
    return {trial.id: _standing(storage, trial, finished=trial.id in finished) for trial in trials}


def _standing(storage: Storage, trial: Trial, *, finished: bool) -> TrialProgress:
    files = storage.trial(trial.id)
    rows = files.epochs()
    best = max((row[BEST] for row in rows), default=0.0)
    if finished:
        return TrialProgress(Status.DONE, len(rows), best)
    holder = newest(files.folder)[1]
    if holder is not None and holder.alive():
        return TrialProgress(Status.RUNNING, len(rows), best)
    return TrialProgress(Status.FAILED if files.failure() else Status.TO_GO, len(rows), best)
