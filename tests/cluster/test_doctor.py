"""The doctor names what is planted, and on which host."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clusters import HEAD, ROOT, WORKERS, Cluster, output
from hosts import Hosts, address, name
from launching import knobs

from study.plan import RunRecord
from study.storage import Storage
from wbc_model.datasets.find import find
from wbc_model.datasets.lisc import DATASET as LISC

pytestmark = pytest.mark.cluster
OLD, BLIND = WORKERS
"""A worker with other versions and data and a full disk; one without a library, that cannot write to storage."""
TABLE = ("--tables", "11", "--datasets", "lisc")
KNOBS = knobs(epochs=2)
PLACES = ("--data", "/root/data", "--weights", "/root/weights", "--cache", "/root/cache")


@pytest.fixture(scope="module")
def settled(cluster: Cluster, drawn: Path, weights: Path) -> Cluster:
    """Every host has data and weights of its own, under one path."""
    cluster.await_nodes(3)
    for host in (HEAD, *WORKERS):
        home = cluster.hosts.files(host) / "root"
        shutil.copytree(drawn, home / "data")
        shutil.copytree(weights, home / "weights")
    return cluster


@contextmanager
def planted(hosts: Hosts, storage: Path) -> Iterator[None]:
    """Every fault there is on two workers, and none afterwards."""
    home = hosts.files(OLD) / "root"
    image = find(LISC, home / "data")[100].path.relative_to(home)
    package = "wbc-study/timm-0.0.1.dist-info"
    metadata = "Metadata-Version: 2.1\\nName: timm\\nVersion: 0.0.1\\n"
    hosts.ssh(
        OLD,
        f"""
        echo '# planted' >> wbc-study/study/plan.py
        mkdir -p {package} cache && printf '{metadata}' > {package}/METADATA
        cp '{image}' image && echo more >> '{image}'
        rm -rf cache/* && mount -t tmpfs -o size=4k tmpfs cache""",
    )
    hosts.ssh(
        BLIND,
        f"""
        echo 'raise ImportError("planted")' > wbc-study/cv2.py
        mount --bind {storage} {storage} && mount -o remount,bind,ro {storage}""",
    )
    try:
        yield
    finally:
        hosts.ssh(
            OLD,
            f"""
            umount cache; rm -r {package}; mv image '{image}'
            sed -i '/^# planted$/d' wbc-study/study/plan.py""",
        )
        hosts.ssh(BLIND, f"rm wbc-study/cv2.py; umount {storage}")


def test_the_doctor_names_each_fault_on_its_host_and_a_study_runs_on_the_others(settled: Cluster):
    storage = settled.shared / "doctor"
    words = (*TABLE, *PLACES, "--storage", str(storage), *KNOBS)
    healthy = settled.submit(*words, "--doctor")
    printed = output(healthy)
    assert healthy.returncode == 0, printed
    assert printed.count("fit    wbct") == 3
    with planted(settled.hosts, storage):
        ill = settled.submit(*words, "--doctor")
        printed = output(ill)
        assert ill.returncode != 0
        for host, causes in {
            OLD: ("the program is ", "timm is 0.0.1, but ", "data of lisc is ", "its disk has 0.0 GB left"),
            BLIND: ("cv2, albumentations cannot be imported: planted", "Read-only file system"),
        }.items():
            said = [line for line in printed.splitlines() if line.startswith(f"unfit  {name(host)} ")]
            assert len(said) == len(causes), printed
            assert all(any(cause in line for line in said) for cause in causes), printed
        assert f"fit    {name(HEAD)} ({address(HEAD)})" in printed

        refused = settled.submit(*words)
        assert "2 nodes are unfit" in output(refused)
        assert refused.returncode != 0
        assert not records(storage)
        left_out = settled.submit(*words, "--leave-out-unfit")
        printed = output(left_out)
        assert left_out.returncode == 0, printed
    assert [record.provenance["node"] for record in records(storage)] == 6 * [name(HEAD)]


def records(folder: Path) -> list[RunRecord]:
    storage = Storage(str(folder))
    return [record for name in storage.finished() if (record := storage.trial(name).record())]


def test_storage_that_is_each_hosts_own_is_refused(settled: Cluster):
    submitted = settled.submit(*TABLE, *PLACES, "--storage", "/root/runs", *KNOBS)
    printed = output(submitted)
    assert submitted.returncode != 0
    assert printed.count(f"/root/runs is not the same folder as on {name(HEAD)}") == len(WORKERS), printed


def test_a_program_other_than_the_installed_is_told(cluster: Cluster, tmp_path: Path):
    newer = tmp_path / "run.py"
    newer.write_text((ROOT / "study" / "run.py").read_text() + "# newer\n")
    submitted = cluster.submit("--plan", script=newer)
    printed = output(submitted)
    assert submitted.returncode != 0
    assert "ray up --no-restart" in printed
    same = cluster.submit("--plan")
    assert "All, each training once" in output(same)
