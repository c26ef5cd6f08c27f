"""`ray up` and `ray submit` as users type them, on three hosts; and what happens to a study when machines go."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from clusters import HEAD, Cluster, output
from launching import Place

pytestmark = pytest.mark.cluster
EPOCHS = 12
STUDY = ("--rehearse", "--tables", "8", "--set", f"epochs={EPOCHS}")
"""Four trials of some twenty seconds."""
HISTORY = (list(range(EPOCHS)), 0)


def storage_of(cluster: Cluster, name: str) -> Place:
    """A storage of its own, and an empty log of begun epochs."""
    (cluster.shared / "epochs.log").unlink(missing_ok=True)
    return Place(cluster.shared, *(3 * [Path()]), storage_at=cluster.shared / name)


def done_again(place: Place) -> int:
    """Epochs that were begun more than once."""
    return sum(place.begun().values()) - len(place.begun())


def nodes_at_work(storage: Path, *, epochs: int) -> dict[str, int]:
    """Hosts with an unfinished trial that has so many epochs, and the number of those."""
    found = {}
    for lease in storage.glob("trials/*/lease-*.json"):
        folder = lease.parent
        rows = (folder / "epochs.jsonl").read_text().splitlines() if (folder / "epochs.jsonl").exists() else []
        if len(rows) >= epochs and not (folder / "record.json").exists():
            found[json.loads(lease.read_text())["node"]] = len(rows)
    return found


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "waited for 240 s"
        time.sleep(0.1)


def assert_whole(place: Place) -> None:
    """Nothing is missing, nothing is there twice."""
    histories = place.histories()
    assert len(place.records()) == len(histories) == 4
    assert all(history == [HISTORY] for history in histories.values()), histories


def test_a_rehearsal_is_spread_over_the_hosts_and_ends_in_tables_on_the_head(cluster: Cluster):
    place = storage_of(cluster, "plain")
    submitted = cluster.submit(*STUDY, "--storage", str(place.storage))
    printed = output(submitted)
    assert submitted.returncode == 0, printed
    assert "3 of 3 nodes are fit" in printed
    assert_whole(place)
    assert done_again(place) == 0
    assert len({record.provenance["node"] for record in place.records().values()}) >= 2
    build = cluster.hosts.files(HEAD) / "root" / "build" / "rehearsal"
    assert "\\begin{tabular}" in (build / "table_8.tex").read_text()
    assert (build / "report.html").exists()


def test_a_study_whose_driver_was_killed_goes_on_when_it_is_submitted_again(cluster: Cluster):
    place = storage_of(cluster, "killed")
    words = (*STUDY, "--storage", str(place.storage))
    first = cluster.submit(*words)
    wait_for(lambda: nodes_at_work(place.storage, epochs=3), first)
    cluster.hosts.ssh(HEAD, "pkill -9 -f 'python.*/run.py'", check=False)
    output(first)
    assert first.returncode != 0
    assert len(place.records()) < 4
    again = cluster.submit(*words)
    printed = output(again)
    assert again.returncode == 0, printed
    assert_whole(place)
    assert done_again(place) <= 3  # one a host


def test_a_worker_whose_network_is_cut_for_half_a_minute_costs_nothing(cluster: Cluster):
    place = storage_of(cluster, "cut")
    submitted = cluster.submit(*STUDY, "--storage", str(place.storage))
    host = _worker_at_work(place.storage, submitted)
    cluster.hosts.cut(host)
    time.sleep(30)
    cluster.hosts.mend(host)
    printed = output(submitted)
    assert submitted.returncode == 0, printed
    assert_whole(place)


def test_a_worker_that_is_powered_off_in_a_trial_costs_an_epoch_at_most(cluster: Cluster):
    cluster.await_nodes(len(cluster.hosts.booted))  # the one that was cut off joins again
    place = storage_of(cluster, "off")
    submitted = cluster.submit(*STUDY, "--storage", str(place.storage))
    host = _worker_at_work(place.storage, submitted)
    cluster.hosts.power_off(host)
    printed = output(submitted, seconds=400)
    assert submitted.returncode == 0, printed
    assert_whole(place)
    assert done_again(place) <= 1


def _worker_at_work(storage: Path, process: subprocess.Popen[str]) -> int:
    """The number of a host, not the head, in the middle of a trial."""
    found: list[int] = []

    def look() -> bool:
        found[:] = [int(node.removeprefix("wbch")) for node in nodes_at_work(storage, epochs=3)]
        found[:] = [host for host in found if host != HEAD]
        return bool(found)

    wait_for(look, process)
    return found[0]
