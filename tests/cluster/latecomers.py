"""A cluster of nodes on this machine, three of which join while a study runs on the first: only one is fit.

The fit one becomes unfit as soon as two epochs have begun on it: its folder for temporary files is taken away. Then
the costs of the study with another seed are calibrated. Prints the exit statuses and, by node, how many epochs were
begun there, in the study and in the calibration.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ray.cluster_utils import Cluster


def begun(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


def wait_for(condition: Callable[[], bool], study: subprocess.Popen[bytes]) -> None:
    while study.poll() is None and not condition():
        time.sleep(0.1)


def main(folder: Path, *command: str) -> None:
    logs = {name: folder / f"{name}.log" for name in ("first", "fit", "unfit", "ahead")}
    rules = [{"network": "any", "epoch": "any", "do": "sleep"}]
    clocks = dict.fromkeys(logs, 0) | {"ahead": 120}
    faults = {name: {"log": str(log), "rules": rules, "clock": clocks[name]} for name, log in logs.items()}
    places = {name: {"TMPDIR": str(folder / name), "WBC_FAULTS": json.dumps(faults[name])} for name in logs}
    for name in ("first", "fit", "ahead"):
        (folder / name).mkdir()
    cluster = Cluster()
    cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1", env_vars=places["first"])
    os.environ["RAY_ADDRESS"] = cluster.address
    study = subprocess.Popen(command)
    wait_for(lambda: begun(logs["first"]) >= 1, study)
    cluster.add_node(num_cpus=1, node_ip_address="127.0.0.2", env_vars=places["fit"])
    cluster.add_node(num_cpus=1, node_ip_address="127.0.0.3", env_vars=places["unfit"])
    cluster.add_node(num_cpus=1, node_ip_address="127.0.0.4", env_vars=places["ahead"])
    wait_for(lambda: begun(logs["fit"]) >= 2, study)
    (folder / "fit").rename(folder / "gone")
    statuses = [study.wait()]
    in_study = {name: begun(log) for name, log in logs.items()}
    (folder / "runs" / "costs.json").unlink()
    statuses.append(subprocess.run([*command, "--seeds", "1", "--calibrate"], check=False).returncode)
    calibrated = {name: begun(log) - in_study[name] for name, log in logs.items()}
    print(json.dumps({"statuses": statuses, "study": in_study, "calibrated": calibrated}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
