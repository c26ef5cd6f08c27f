"""`ray up` and `ray submit` as users type them, on three hosts; and what happens to a study when machines go."""

import subprocess
import time
from pathlib import Path
from statistics import median

import pytest
from clusters import HEAD, WORKERS, Cluster, output
from far import far_apart
from hosts import address
from launching import wait_for
from studies import AT_MOST, assert_whole, done_again, hosts_at_work, storage_of

pytestmark = pytest.mark.cluster

CONNECTS = """
import socket, time
for _ in range(20):
    began = time.monotonic()
    socket.create_connection(({address!r}, 22)).close()
    print(time.monotonic() - began)
"""


def test_a_rehearsal_on_hosts_far_apart_is_spread_over_them_and_ends_in_tables_on_the_head(cluster: Cluster):
    """200 ms between them, and one frame in 20 lost."""
    place = storage_of(cluster, "far")
    with far_apart(cluster.hosts, round_trip=0.2, lost=0.05):
        assert 0.19 < median(_connects(cluster, HEAD, WORKERS[0])) < 0.3
        submitted = cluster.submit("--rehearse", "--tables", "8", "--set", "epochs=6", "--storage", str(place.storage))
        printed = output(submitted, seconds=600)
    assert submitted.returncode == 0, printed
    assert "3 of 3 nodes are fit" in printed
    assert_whole(place, trials=4, epochs=6)
    assert done_again(place) == 0
    assert len({record.provenance["node"] for record in place.records().values()}) >= 2
    build = cluster.hosts.files(HEAD) / "root" / "build" / "rehearsal"
    assert "\\begin{tabular}" in (build / "table_8.tex").read_text()
    assert (build / "report.html").exists()


def test_a_study_whose_job_was_stopped_goes_on_when_it_is_submitted_again(cluster: Cluster, inputs: tuple[str, ...]):
    """With `ray job submit`, from a machine that has nothing but Ray and the cluster's token."""
    place = storage_of(cluster, "job")
    study = f"cd ~/wbc-study && .venv/bin/python study/run.py --storage {place.storage} {' '.join(inputs)}"
    with cluster.dashboard():
        cluster.job("submit", "--submission-id", "first", "--no-wait", "--", "bash", "-c", study)
        wait_for(lambda: hosts_at_work(place.storage) or "FAILED" in cluster.job("status", "first"), seconds=240)
        assert "RUNNING" in cluster.job("status", "first")
        cluster.job("stop", "first")
        assert "'first' was stopped" in cluster.job("status", "first")
        assert "6 trials: 0 finished, 6 to run" in cluster.job("logs", "first")
        assert len(place.records()) < 6
        printed = cluster.job("submit", "--submission-id", "again", "--", "bash", "-c", study)
    assert "Job 'again' succeeded" in printed
    assert_whole(place)
    assert done_again(place) <= 3 * AT_MOST  # each host has one trial at a time


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


def test_a_worker_that_is_powered_off_in_a_trial_costs_two_epochs_at_most(cluster: Cluster, inputs: tuple[str, ...]):
    cluster.up()  # the one that was cut off joins again, at the latest now
    place = storage_of(cluster, "off")
    submitted = cluster.submit("--storage", str(place.storage), *inputs)
    host = _worker_at_work(place.storage, submitted)
    cluster.hosts.power_off(host)
    try:
        printed = output(submitted, seconds=400)
    finally:
        cluster.hosts.boot(host)
    assert submitted.returncode == 0, printed
    assert_whole(place)
    assert done_again(place) <= AT_MOST


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
    assert done_again(place) <= 3 * AT_MOST


def _worker_at_work(storage: Path, process: subprocess.Popen[str]) -> int:
    """The number of a host, not the head, in the middle of a trial."""
    found: set[int] = set()

    def look() -> bool:
        found.update(hosts_at_work(storage) - {HEAD})
        return bool(found)

    wait_for(look, process, seconds=240)
    return found.pop()


def _connects(cluster: Cluster, one: int, other: int) -> list[float]:
    """Seconds after which connections from one host to another were there."""
    code = CONNECTS.format(address=address(other)).replace('"', '\\"')
    return [float(line) for line in cluster.hosts.ssh(one, f'python3 -c "{code}"').stdout.split()]
