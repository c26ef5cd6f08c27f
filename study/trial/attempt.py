"""One attempt at a trial, under its lease: a row per epoch, then the outcome. No ray; torch loads when it begins.

Tune takes a trial away from a worker that is still starting if another one is free. So a worker imports little at
first, and the rest once it has the trial.
"""

import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from typing import Any

from study.plan import Trial
from study.scheduling.failures import Failure
from study.settings import Settings
from study.storage import Storage, TrialFiles
from study.trial.leases import Held, Lease
from wbc_model.errors import Damaged

OUTCOME, TOLD = "outcome", "told"
FINISHED, ELSEWHERE, HELD = "finished", "elsewhere", "held"


def attempt(trial: Trial, settings: Settings) -> Generator[dict[str, Any], None, None]:
    """Yield a row per epoch, then a last row with the outcome; a row may have lines for the user, `TOLD`.

    The outcome is `FINISHED`, with the `seconds` and the `epochs` of this attempt; `ELSEWHERE`, if another launcher has
    finished the trial since it was planned; `HELD`, with the holder as `by`; or a `Failure` as JSON.

    Errors are yielded, not raised, so that the reason reaches the launcher even if the storage is not writable.
    """
    from study.trial.execute import run_trial

    files = Storage(settings.storage).trial(trial.id)
    try:
        lease = Lease.take(files.folder)
    except Held as held:
        yield {OUTCOME: HELD, "by": str(held)}
        return
    except Exception as error:
        yield {OUTCOME: Failure.of(error, epochs=0).to_json()}
        return
    began, done, epochs, outcome = time.monotonic(), 0, 0, {}
    told: list[str] = []
    try:
        files.sweep()
        if _finished(files, told.append):
            outcome = {OUTCOME: ELSEWHERE}
        else:
            # Closed while the lease is held: it then writes a pending checkpoint.
            with closing(run_trial(trial, settings, tell=told.append)) as rows:
                for row in rows:
                    done, epochs = done + 1, int(row["epoch"]) + 1
                    yield row | ({TOLD: told.copy()} if told else {})
                    told.clear()
                    lease.check()
            outcome = {OUTCOME: FINISHED, "seconds": time.monotonic() - began, "epochs": done}
    except Held as held:
        outcome = {OUTCOME: HELD, "by": str(held)}
    except Exception as error:
        failure = Failure.of(error, epochs=epochs)
        with suppress(OSError):  # the launcher gets the failure as well
            files.write_failure(failure)
        outcome = {OUTCOME: failure.to_json()}
    finally:
        lease.release()
    yield outcome | ({TOLD: told} if told else {})


def _finished(files: TrialFiles, tell: Callable[[str], object]) -> bool:
    """Whether the trial has a record; one that is damaged is set aside."""
    try:
        return files.record() is not None
    except Damaged as error:
        tell(f"{error}; it is kept as {files.set_aside('record.json')}, and the trial runs again")
        return False
