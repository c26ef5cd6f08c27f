"""Studies of some minutes on the test hosts, and what is left of them when hosts go."""

import json
from pathlib import Path

from clusters import Cluster
from launching import Place

EPOCHS = 40
AT_MOST = 2
"""Epochs that a trial repeats when its host goes: the one in progress and, if it was not saved yet, the one before."""


def storage_of(cluster: Cluster, name: str) -> Place:
    """A storage of its own, and an empty log of begun epochs."""
    (cluster.shared / "epochs.log").unlink(missing_ok=True)
    return Place(cluster.shared, *(3 * [Path()]), storage_at=cluster.shared / name)


def done_again(place: Place) -> int:
    """Epochs that were begun more than once."""
    return sum(place.begun().values()) - len(place.begun())


def hosts_at_work(storage: Path) -> set[int]:
    """Those in the middle of a trial: with some epochs, and no record yet."""
    found = set()
    for lease in storage.glob("trials/*/lease-*.json"):
        log, record = lease.with_name("epochs.jsonl"), lease.with_name("record.json")
        if log.exists() and len(log.read_text().splitlines()) >= 3 and not record.exists():
            found.add(int(json.loads(lease.read_text())["node"].removeprefix("wbct")))
    return found


def assert_whole(place: Place, *, trials: int = 6, epochs: int = EPOCHS) -> None:
    """Nothing is missing, nothing is there twice."""
    histories = place.histories()
    assert len(place.records()) == len(histories) == trials
    assert all(history == [(list(range(epochs)), 0)] for history in histories.values()), histories
