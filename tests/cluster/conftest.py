"""One cluster of three SSH hosts, made by the real `ray up`, for all tests of this folder."""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import ROOT, Cluster, N
from hosts import Hosts, missing
from launching import knobs
from studies import EPOCHS


def is_set_up() -> bool:
    """Whether cluster/setup.sh, which hosts run on the same files, would find nothing to do."""
    sources = ("requirements.txt", "pyproject.toml", "cluster/setup.sh")
    wanted = hashlib.sha256(b"".join((ROOT / source).read_bytes() for source in sources)).hexdigest()
    stamp = Path(sys.prefix, "wbc-study.stamp")
    return stamp.exists() and stamp.read_text().strip() == wanted


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if reason := missing():
        pytest.skip(reason)
    if not is_set_up():
        pytest.skip("the hosts share the environment of cluster/setup.sh, and this is another or of another time")
    folder = Path(tempfile.mkdtemp(prefix="wbc-hosts-", dir="/var/tmp"))
    try:
        with Hosts(N, folder / "hosts") as hosts:
            cluster = Cluster(hosts, folder / "cluster.yaml", folder / "shared")
            cluster.prepare(folder.name)
            cluster.up()
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def inputs(cluster: Cluster, drawn: Path, weights: Path) -> tuple[str, ...]:
    """Data and weights that all hosts see, and a study of six trials on them, of some seconds each."""
    shutil.copytree(drawn, cluster.shared / "data")
    shutil.copytree(weights, cluster.shared / "weights")
    return ("--tables", "11", "--datasets", "lisc", "--data", str(cluster.shared / "data"),
            "--weights", str(cluster.shared / "weights"), *knobs(EPOCHS))  # fmt: skip
