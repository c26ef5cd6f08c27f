"""One attempt at a trial, under its lease: rows of epochs, then how it ended. No ray; torch only once it begins.

Tune takes a trial away from a worker that is still starting, if another is free. So a worker starts with little, and
loads the rest when the trial is its own.
"""

import time
from collections.abc import Generator
from contextlib import closing, suppress
from typing import Any

from study.plan import Trial
from study.scheduling.failures import Failure
from study.settings import Settings
from study.storage import Storage
from study.trial.leases import Held, Lease

OUTCOME = "outcome"
FINISHED, HELD = "finished", "held"


def attempt(trial: Trial, settings: Settings) -> Generator[dict[str, Any], None, None]:
    """A row an epoch; the last row has only an outcome: `FINISHED`, `HELD` with `by`, or a `Failure` as JSON.

    `FINISHED` comes with the `seconds` and the `epochs` of this attempt.

    Nothing is raised but what ends the process, so that a reason reaches the launcher even where no storage can be
    written.
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
    try:
        if files.read("record.json") is None:  # else another has finished it since it was planned
            with closing(run_trial(trial, settings)) as rows:  # what it is saving is saved under the lease
                for row in rows:
                    done, epochs = done + 1, int(row["epoch"]) + 1
                    yield row
                    lease.check()
        outcome = {OUTCOME: FINISHED, "seconds": time.monotonic() - began, "epochs": done}
    except Held as held:
        outcome = {OUTCOME: HELD, "by": str(held)}
    except Exception as error:
        failure = Failure.of(error, epochs=epochs)
        with suppress(OSError):  # the launcher hears of it too
            files.write_failure(failure)
        outcome = {OUTCOME: failure.to_json()}
    finally:
        lease.release()
    yield outcome
