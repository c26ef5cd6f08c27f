"""Only who has the cluster's token may use it, and the doctor names a machine that has another."""

import time

import pytest
from clusters import HEAD, WORKERS, Cluster, output
from hosts import address

pytestmark = pytest.mark.cluster
WORKER = WORKERS[-1]
RAY = "~/wbc-study/.venv/bin/ray"
JOIN = "from study.ray_backend.connect import connect; print(connect())"


def test_who_has_no_token_is_refused(cluster: Cluster):
    cluster.await_nodes(3)
    for mode, token in (("disabled", ""), ("token", "a" * 64)):
        environment = f"RAY_ADDRESS={address(HEAD)}:6379 RAY_AUTH_MODE={mode} RAY_AUTH_TOKEN={token}"
        command = f'env {environment} timeout 50 ~/wbc-study/.venv/bin/python -c "{JOIN}"'
        tried = cluster.hosts.ssh(WORKER, command, check=False)
        assert tried.returncode != 0, mode
        assert "CPU" not in tried.stdout
        assert "does not accept this machine's token" in tried.stderr


def test_the_token_is_nobody_elses_to_read(cluster: Cluster):
    for host in (HEAD, *WORKERS):
        assert cluster.hosts.ssh(host, "stat -c %a ~/.ray/auth_token").stdout.strip() == "600"


def failed_starts(cluster: Cluster) -> int:
    """How many machines Ray's autoscaler has tried to start, and given up."""
    logged = cluster.hosts.ssh(HEAD, "cat /tmp/ray/session_latest/logs/monitor.out").stdout
    return logged.count("update-failed")


def test_the_doctor_names_a_machine_with_another_token_and_it_joins_once_it_has_the_right_one(cluster: Cluster):
    cluster.await_nodes(3)
    token, failed = "~/.ray/auth_token", failed_starts(cluster)
    cluster.hosts.ssh(WORKER, f"cp -p {token} ~/right; echo {'b' * 64} > {token}; {RAY} stop", check=False)
    deadline = time.monotonic() + 180
    while cluster.alive() != 2 or failed_starts(cluster) == failed:  # Ray tries once, and would do so between ours
        assert time.monotonic() < deadline, "Ray has not tried to start the worker again"
        time.sleep(1)
    examined = cluster.submit("--rehearse", "--storage", str(cluster.shared / "tokens"), "--doctor")
    printed = output(examined)
    assert examined.returncode != 0
    assert f"absent {address(WORKER)}: it cannot join the cluster: its ~/.ray/auth_token is another" in printed, printed
    assert f"run `ray start --address={address(HEAD)}:6379` on it" in printed
    cluster.hosts.ssh(WORKER, f"mv ~/right {token}; bash -ic 'ray start --num-cpus=1 --address={address(HEAD)}:6379'")
    cluster.await_nodes(3)
