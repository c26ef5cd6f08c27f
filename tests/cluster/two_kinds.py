"""A cluster of two nodes on this machine that say they have different GPUs, on one of which an epoch takes longer.

Calibrates a study, runs it, and prints the exit statuses and how many epochs the study began on each node.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from latecomers import begun
from ray.cluster_utils import Cluster


def main(folder: Path, *command: str) -> None:
    logs = {kind: folder / f"{kind}.log" for kind in ("H100", "L4")}
    cluster = Cluster()
    for n, (kind, log) in enumerate(logs.items(), start=1):
        rules = [{"network": "any", "epoch": "any", "do": "sleep"}] * (kind == "L4")
        faults = {"WBC_FAULTS": json.dumps({"log": str(log), "rules": rules})}
        resources = {f"accelerator_type:{kind}": 1}
        cluster.add_node(num_cpus=1, node_ip_address=f"127.0.0.{n}", resources=resources, env_vars=faults)
    os.environ["RAY_ADDRESS"] = cluster.address
    statuses = [subprocess.run([*command, "--calibrate"], check=False, stdout=sys.stderr).returncode]
    calibrated = {kind: begun(log) for kind, log in logs.items()}
    statuses.append(subprocess.run(command, check=False).returncode)
    in_study = {kind: begun(log) - calibrated[kind] for kind, log in logs.items()}
    print(json.dumps({"statuses": statuses, "study": in_study}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
