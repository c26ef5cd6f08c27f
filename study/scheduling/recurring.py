"""Failures that are likely to recur in other trials, which are then blocked. No torch, no ray."""

from collections import defaultdict

from study.plan import Trial
from study.scheduling.blame import IN_A_ROW
from study.scheduling.failures import Failure, Kind
from wbc_model.models import Baseline

ALL_FAMILIES = "everything"


class Recurring:
    """Failures for good, by the family of the trial, location and message."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
        """Of each, ids of the trials with the node of each; empty if it could run on no other."""

    def add(self, trial: Trial, failure: Failure) -> None:
        if failure.kind in (Kind.CODE, Kind.STORAGE):
            self.seen[_family(trial, failure), failure.where, failure.error][trial.id] = failure.node

    def forgive(self, node: str) -> None:
        """Forget what was seen on an unfit node."""
        for key, seen in self.seen.items():
            self.seen[key] = {trial: where for trial, where in seen.items() if where != node}

    def blocks(self, trial: Trial) -> str:
        """The error with which two trials of its family have failed; empty if it is not blocked.

        Where there are several nodes, they must have failed on two, or there must be `IN_A_ROW`: it may be the node.
        """
        families = {_family(trial), ALL_FAMILIES}
        for (family, _, error), seen in self.seen.items():
            places = {node or trial for trial, node in seen.items()}
            if family in families and (len(places) > 1 or len(seen) >= IN_A_ROW):
                return error
        return ""


def _family(trial: Trial, failure: Failure | None = None) -> str:
    """The kind of network, whose trials share code; after a failure of the storage, all trials are one family."""
    if failure is not None and failure.kind is Kind.STORAGE:
        return ALL_FAMILIES
    model = trial.config.model
    return str(model.network) if isinstance(model, Baseline) else "two_branch"
