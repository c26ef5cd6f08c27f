"""`ray up` and `ray submit` as users type them, on three hosts; and what happens to a study when machines go."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from clusters import HEAD, Cluster, output
from launching import Place, knobs, wait_for

pytestmark = pytest.mark.cluster
EPOCHS = 40


@pytest.fixture(scope="module")
def inputs(cluster: Cluster, drawn: Path, weights: Path) -> tuple[str, ...]:
    """Data and weights that all hosts see, and a study of six trials on them, of some seconds each."""
    shutil.copytree(drawn, cluster.shared / "data")
    shutil.copytree(weights, cluster.shared / "weights")
    return ("--tables", "11", "--datasets", "lisc", "--data", str(cluster.shared / "data"),
            "--weights", str(cluster.shared / "weights"), *knobs(EPOCHS))  # fmt: skip


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


def test_a_rehearsal_is_spread_over_the_hosts_and_ends_in_tables_on_the_head(cluster: Cluster):
    place = storage_of(cluster, "plain")
    submitted = cluster.submit("--rehearse", "--tables", "8", "--set", "epochs=6", "--storage", str(place.storage))
    printed = output(submitted)
    assert submitted.returncode == 0, printed
    assert "3 of 3 nodes are fit" in printed
    assert_whole(place, trials=4, epochs=6)
    assert done_again(place) == 0
    assert len({record.provenance["node"] for record in place.records().values()}) >= 2
    build = cluster.hosts.files(HEAD) / "root" / "build" / "rehearsal"
    assert "\\begin{tabular}" in (build / "table_8.tex").read_text()
    assert (build / "report.html").exists()


def test_a_study_whose_driver_was_killed_goes_on_when_it_is_submitted_again(cluster: Cluster, inputs: tuple[str, ...]):
    place = storage_of(cluster, "killed")
    words = ("--storage", str(place.storage), *inputs)
    first = cluster.submit(*words)
    wait_for(lambda: hosts_at_work(place.storage), first, seconds=240)
    cluster.hosts.ssh(HEAD, "pkill -9 -f 'python.*/run.py'", check=False)
    output(first)
    assert first.returncode != 0
    assert len(place.records()) < 6
    again = cluster.submit(*words)
    printed = output(again)
    assert again.returncode == 0, printed
    assert_whole(place)
    assert done_again(place) <= 3  # one a host


def test_a_worker_whose_network_is_cut_for_half_a_minute_costs_nothing(cluster: Cluster, inputs: tuple[str, ...]):
    place = storage_of(cluster, "cut")
    submitted = cluster.submit("--storage", str(place.storage), *inputs)
    host = _worker_at_work(place.storage, submitted)
    cluster.hosts.cut(host)
    time.sleep(30)
    cluster.hosts.mend(host)
    printed = output(submitted)
    assert submitted.returncode == 0, printed
    assert_whole(place)


def test_a_worker_that_is_powered_off_in_a_trial_costs_an_epoch_at_most(cluster: Cluster, inputs: tuple[str, ...]):
    cluster.await_nodes(len(cluster.hosts.booted))  # the one that was cut off joins again
    place = storage_of(cluster, "off")
    submitted = cluster.submit("--storage", str(place.storage), *inputs)
    host = _worker_at_work(place.storage, submitted)
    cluster.hosts.power_off(host)
    printed = output(submitted, seconds=400)
    assert submitted.returncode == 0, printed
    assert_whole(place)
    assert done_again(place) <= 1
    cluster.hosts.boot(host)


def test_a_head_that_was_powered_off_and_is_up_again_goes_on_with_the_study(cluster: Cluster, inputs: tuple[str, ...]):
    place = storage_of(cluster, "head")
    words = ("--storage", str(place.storage), *inputs)
    first = cluster.submit(*words)
    wait_for(lambda: hosts_at_work(place.storage), first, seconds=240)
    cluster.hosts.power_off(HEAD)
    output(first)
    cluster.hosts.boot(HEAD)
    cluster.up()
    again = cluster.submit(*words)
    printed = output(again)
    assert again.returncode == 0, printed
    assert_whole(place)


def _worker_at_work(storage: Path, process: subprocess.Popen[str]) -> int:
    """The number of a host, not the head, in the middle of a trial."""
    found: set[int] = set()

    def look() -> bool:
        found.update(hosts_at_work(storage) - {HEAD})
        return bool(found)

    wait_for(look, process, seconds=240)
    return found.pop()
