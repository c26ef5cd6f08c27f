"""One cluster of three SSH hosts, made by the real `ray up`, for all tests of this folder."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import Cluster, N
from hosts import Hosts, missing


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if reason := missing():
        pytest.skip(reason)
    if not Path(sys.prefix, "wbc-study.stamp").exists():
        pytest.skip("the hosts share the environment that cluster/setup.sh makes, and this is another")
    folder = Path(tempfile.mkdtemp(prefix="wbc-hosts-", dir="/var/tmp"))
    try:
        with Hosts(N, folder / "hosts") as hosts:
            cluster = Cluster(hosts, folder / "cluster.yaml", folder / "shared")
            cluster.prepare(folder.name)
            cluster.up()
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)
