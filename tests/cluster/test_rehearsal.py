"""`ray up` and `ray submit` as users type them, on three hosts; and what happens to a study when machines go."""

import subprocess
import time
from pathlib import Path

import pytest
from clusters import HEAD, Cluster, output
from launching import wait_for
from studies import AT_MOST, assert_whole, done_again, hosts_at_work, storage_of

pytestmark = pytest.mark.cluster


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
