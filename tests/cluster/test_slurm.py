"""`sbatch cluster/slurm.sh` with Debian's Slurm, from a home that holds another cluster's token, or none."""

import pytest
from clusters import ROOT, Cluster
from hosts import HIDDEN
from launching import wait_for
from namespaces import not_installed
from slurm import DAEMONS, NODES, Slurm
from studies import AT_MOST, EPOCHS, assert_whole, done_again, hosts_at_work, storage_of

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def slurm(cluster: Cluster) -> Slurm:
    if reason := not_installed(*DAEMONS):
        pytest.skip(reason)
    if any(ROOT.is_relative_to(path) for path in HIDDEN):
        pytest.skip(f"the hosts do not see {ROOT}: clone the project elsewhere")
    slurm = Slurm(cluster)
    slurm.start()
    return slurm


def test_a_job_on_two_nodes_rehearses_the_study(slurm: Slurm):
    place = storage_of(slurm.cluster, "slurm-rehearsal")
    job = slurm.submit("--rehearse", "--tables", "8", "--set", "epochs=6", "--storage", str(place.storage))
    assert slurm.await_state(job, "COMPLETED", seconds=900) == "COMPLETED"
    printed = slurm.printed(job)
    assert "2 of 2 nodes are fit" in printed
    assert "Table 8: 4 of 4 rows" in printed
    assert_whole(place, trials=4, epochs=6)
    assert done_again(place) == 0
    assert {record.provenance["node"] for record in place.records().values()} == {"wbct1", "wbct2"}


def test_two_jobs_of_an_array_share_one_storage(slurm: Slurm, inputs: tuple[str, ...]):
    (slurm.folder / "home" / ".ray" / "auth_token").unlink(missing_ok=True)
    place = storage_of(slurm.cluster, "slurm-array")
    array = slurm.submit("--storage", str(place.storage), *inputs, size="--array=1-2 --nodes=1")
    wait_for(lambda: hosts_at_work(place.storage) == set(NODES), seconds=600)  # at the same time
    for job in (f"{array}_1", f"{array}_2"):
        assert slurm.await_state(job, "COMPLETED", seconds=600) == "COMPLETED"
    assert_whole(place)
    assert done_again(place) == 0
    assert {record.provenance["node"] for record in place.records().values()} == {"wbct1", "wbct2"}


def test_a_cancelled_job_and_one_whose_node_is_powered_off_go_on(slurm: Slurm, inputs: tuple[str, ...]):
    place = storage_of(slurm.cluster, "slurm-off")
    words = ("--storage", str(place.storage), *inputs)
    first = slurm.submit(*words)
    wait_for(lambda: hosts_at_work(place.storage), seconds=600)
    slurm.on_head(f"scancel {first}")
    slurm.await_state(first, "CANCELLED", seconds=90)
    assert len(place.records()) < 6
    again, begun, worker = slurm.submit(*words), place.begun().total(), NODES[1]
    # The first job may have left leases, so that a lease alone does not say that this one is at work.
    wait_for(lambda: place.begun().total() >= begun + 4 and worker in hosts_at_work(place.storage), seconds=600)
    slurm.cluster.hosts.power_off(worker)
    slurm.await_state(again, "PENDING", seconds=120)  # requeued
    slurm.cluster.hosts.boot(worker)
    slurm.start_node(worker)
    slurm.await_state(again, "COMPLETED", seconds=900)
    assert_whole(place)
    assert max(place.begun().values()) <= 3
    assert EPOCHS * 6 <= place.begun().total() <= EPOCHS * 6 + 2 * 2 * AT_MOST  # two ends of two trials
