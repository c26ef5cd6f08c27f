"""In a world of its own: a cluster of a head and no worker, as in the clouds, and the study that is to run on it.

Before it the doctor examines a machine, which it asks for. Prints both exit statuses, the most nodes there were, and
whether the head was alone again afterwards.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ray
import yaml
from ray.autoscaler._private import fake_multi_node
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID

HEAD = "ray.head.default"
"""So Ray's stand-in for a cloud calls the type of its head."""


def config(cloud: Path) -> dict[str, Any]:
    """That of a cloud, of two small workers, and without what concerns real machines."""
    found = yaml.safe_load(cloud.read_text())
    types = found["available_node_types"]
    worker = {"resources": {"CPU": 1}, "node_config": {}, "min_workers": types["worker"]["min_workers"]}
    kept = {"cluster_name": found["cluster_name"], "max_workers": 2, "idle_timeout_minutes": 0.2, "docker": {}}
    nodes = {HEAD: {"resources": types["head"]["resources"], "node_config": {}, "max_workers": 0}, "worker": worker}
    provider = {"type": "fake_multinode", "launch_multiple": True, "head_node_id": FAKE_HEAD_NODE_ID}
    commands = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
    return kept | {f"{name}_commands": [] for name in commands} | {
        "provider": provider, "auth": {}, "available_node_types": nodes, "head_node_type": HEAD, "file_mounts": {},
        "cluster_synced_files": [], "upscaling_speed": 1.0}  # fmt: skip


def stand_in() -> None:
    """Ray's package lacks the file of defaults that its stand-in reads."""
    folder = Path(fake_multi_node.__file__).parent
    subprocess.run(["cp", "-r", folder, "/run/fake"], check=True)
    Path("/run/fake/example.yaml").write_text("{}")
    subprocess.run(["mount", "--bind", "/run/fake", folder], check=True)


def alive() -> int:
    return sum(node["Alive"] for node in ray.nodes())


def main(cloud: str, *command: str) -> None:
    stand_in()
    Path("/run/config.json").write_text(json.dumps(config(Path(cloud))))
    start = [Path(sys.executable).with_name("ray"), "start", "--head", "--num-cpus=0", "--disable-usage-stats",
             "--autoscaling-config=/run/config.json"]  # fmt: skip
    head = {"RAY_FAKE_CLUSTER": "1", "RAY_enable_autoscaler_v2": "1", "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID, "AUTOSCALER_UPDATE_INTERVAL_S": "1"}  # fmt: skip
    subprocess.run(start, env=os.environ | head, check=True, stdout=sys.stderr)
    ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
    doctor = subprocess.run([*command, "--doctor"], stdout=sys.stderr, check=False).returncode
    study, most = subprocess.Popen(command, stdout=sys.stderr), 0
    while study.poll() is None:
        most = max(most, alive())
        time.sleep(0.5)
    deadline = time.monotonic() + 60
    while alive() > 1 and time.monotonic() < deadline:
        time.sleep(0.5)
    print(json.dumps({"doctor": doctor, "status": study.returncode, "most": most, "alone": alive() == 1}))


if __name__ == "__main__":
    main(*sys.argv[1:])
