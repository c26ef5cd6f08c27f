"""The trials of the latest launch, which `study.status` reports on."""

from collections.abc import Sequence

from study.plan import Trial
from study.storage.trials import Storage
from wbc_model.errors import Damaged, InputError, validating
from wbc_model.files import sealed, unsealed

PLAN = "plan.json"


def write_plan(storage: Storage, trials: Sequence[Trial]) -> None:
    """Keep the trials of the latest launch."""
    storage.write(PLAN, sealed([trial.to_json() for trial in trials]))


def read_plan(storage: Storage) -> list[Trial]:
    """The trials of the latest launch.

    Raises:
        Damaged: the plan is no list of trials, or not the one that was written.
        InputError: nothing was launched there, or this version cannot read what was.
    """
    content, where = storage.read(PLAN), storage.root / PLAN
    if content is None:
        raise InputError(f"no study was launched in {storage.root}: give its --storage")
    again = "the command that launched the study writes it again"
    try:
        trials = unsealed(content, where=where)
    except Damaged as error:
        raise Damaged(f"{error}; {again}") from error
    if not (isinstance(trials, list) and trials and all(isinstance(t, dict) and "config" in t for t in trials)):
        raise Damaged(f"{where} is damaged: it is no list of trials; {again}")
    with validating(f"{where}: a plan that this version cannot read"):
        return [Trial.from_json(trial) for trial in trials]
