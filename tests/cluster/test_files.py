"""The cluster files against the schemas and code of those who read them, and against each other."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import ray.autoscaler
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from study.arguments import parser

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
CLOUDS = ("aws", "gcp", "azure")
RAY = ("cluster", *CLOUDS)
SCRIPTS = ("setup.sh", "slurm.sh")
TOKEN = "~/.ray/auth_token"
PROVIDERS = Path(ray.autoscaler.__file__).parent / "_private"


def load(name: str) -> dict[str, Any]:
    return yaml.safe_load((CLUSTER / f"{name}.yaml").read_text())


def mounts(name: str) -> dict[str, str]:
    return load(name)["file_mounts"]


def test_every_file_is_one_of_those_tested_here_and_told_of_in_the_docs():
    names = {f"{name}.yaml" for name in (*RAY, "kuberay")} | {*SCRIPTS, "Dockerfile"}
    assert {file.name for file in CLUSTER.iterdir()} == names
    text = (ROOT / "docs" / "cluster.md").read_text()
    assert [name for name in sorted(names) if f"cluster/{name}" not in text] == []


@pytest.mark.parametrize("name", RAY)
def test_ray_takes_the_file(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))  # an on-premise cluster is written down there
    validate_config(prepare_config(load(name)))


@pytest.mark.parametrize("name", CLOUDS)
def test_clouds_share_mounts_and_set_up_with_the_file_that_is_run_in_tests(name: str):
    keys = ("cluster_name", "file_mounts", "rsync_exclude", "setup_commands", "worker_start_ray_commands")
    ours, model = load(name), load("cluster")
    assert {key: ours[key] for key in keys} == {key: model[key] for key in keys}


def test_the_program_is_mounted_and_nothing_else():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    found = mounts("cluster")
    assert found.pop(TOKEN) == TOKEN
    files = {"LICENSE", "README.md", "pyproject.toml", "requirements.txt"}
    assert set(found.values()) == {*wheel["packages"], "cluster", *files}
    assert found == {f"~/wbc-study/{name}": name for name in found.values()}  # none at ~/study, where ~/run.py looks
    assert all((ROOT / name).exists() for name in found.values())


def test_the_image_is_built_from_what_is_mounted():
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(mounts("cluster").values()) - {TOKEN}


@pytest.mark.parametrize("name", CLOUDS)
def test_clouds_grow_from_no_worker_and_run_no_trial_on_the_head(name: str):
    config = load(name)
    head, worker = (config["available_node_types"][kind] for kind in ("head", "worker"))
    assert config["head_node_type"] == "head"
    assert head["resources"] == {"CPU": 0}
    assert worker["min_workers"] == 0 < config["max_workers"]
    assert config["idle_timeout_minutes"] > 0
    assert "spot" in json.dumps(worker["node_config"]).lower()
    assert "spot" not in json.dumps(head["node_config"]).lower()
    assert config["provider"].get("cache_stopped_nodes", name != "gcp") is False  # nothing is left that costs


def test_azures_machines_have_only_what_rays_template_knows():
    template = json.loads((PROVIDERS / "_azure" / "azure-vm-template.json").read_text())["parameters"]
    kinds = {"string": str, "int": int}
    for node in load("azure")["available_node_types"].values():
        for key, value in node["node_config"]["azure_arm_parameters"].items():
            assert isinstance(value, kinds[template[key]["type"]]), key


@contextmanager
def amazon() -> Iterator[None]:
    """In this process; what other tests keep in theirs stays."""
    moto = pytest.importorskip("moto").mock_aws()
    moto.start(reset=False)
    try:
        yield
    finally:
        moto.stop(remove_data=False)


@pytest.mark.slow
def test_rays_launcher_starts_head_and_spot_worker_at_amazon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray keeps the SSH key that it makes there
    with amazon():
        import boto3
        from ray.autoscaler._private.aws.node_provider import AWSNodeProvider as Provider

        iam = boto3.client("iam")
        iam.create_instance_profile(InstanceProfileName="wbc-study")
        config = Provider.bootstrap_config(Provider.fillout_available_node_types_resources(prepare_config(load("aws"))))
        types = config["available_node_types"]
        assert types["head"]["resources"]["CPU"] == 0
        assert (types["worker"]["resources"]["CPU"], types["worker"]["resources"]["GPU"]) == (8, 1)
        provider = Provider(config["provider"], config["cluster_name"])
        for kind in ("head", "worker"):
            provider.create_node(types[kind]["node_config"], {"ray-user-node-type": kind}, 1)
        found = boto3.client("ec2", "us-west-2").describe_instances()["Reservations"]
        machines = {i["InstanceType"]: i for reservation in found for i in reservation["Instances"]}
        assert "InstanceLifecycle" not in machines["m7i.xlarge"]
        assert machines["g6.2xlarge"]["InstanceLifecycle"] == "spot"
        assert all(i["IamInstanceProfile"]["Arn"].endswith("/wbc-study") for i in machines.values())


@pytest.mark.parametrize("name", RAY)
def test_the_study_is_told_where_the_data_lies_which_every_machine_sees(name: str):
    """No file copies data: machines that see no shared folder copy it themselves, from a URL."""
    (words,) = re.findall(r"study/run\.py -- (.+)", (CLUSTER / f"{name}.yaml").read_text())
    args = parser().parse_args(words.split())
    for place in (args.data, args.storage):
        assert place.startswith({"aws": "s3://", "gcp": "gs://"}.get(name, "/shared/"))
    assert not load(name).get("worker_setup_commands")


def test_the_rayjob_has_what_kuberay_asks_for():
    job = load("kuberay")
    assert (job["apiVersion"], job["kind"], job["metadata"]["name"]) == ("ray.io/v1", "RayJob", "wbc-study")
    spec = job["spec"]
    assert set(spec) == {"entrypoint", "backoffLimit", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished",
                         "rayClusterSpec"}  # fmt: skip
    assert spec["shutdownAfterJobFinishes"] is True
    cluster = spec["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert set(cluster) == {"rayVersion", "authOptions", "enableInTreeAutoscaling", "autoscalerOptions",
                            "headGroupSpec", "workerGroupSpecs"}  # fmt: skip
    assert cluster["rayVersion"] == version("ray")
    head, (workers,) = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert head["rayStartParams"] == {"num-cpus": "0"}  # KubeRay wants strings
    assert set(workers) == {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}
    assert workers["minReplicas"] == workers["replicas"] == 0 < workers["maxReplicas"]
    script = Path(spec["entrypoint"].split()[1]).relative_to("/home/study/wbc-study")
    assert (ROOT / script).is_file()


@pytest.mark.parametrize("group", ["headGroupSpec", "workerGroupSpecs"])
def test_pods_can_write_the_shared_volume_and_are_never_used_again(group: str):
    found = load("kuberay")["spec"]["rayClusterSpec"][group]
    pod = (found[0] if isinstance(found, list) else found)["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["restartPolicy"] == "Never"  # the autoscaler wants a new pod for each node
    assert {mount["name"] for mount in container["volumeMounts"]} <= {volume["name"] for volume in pod["volumes"]}
    uid = re.search(r"--uid (\d+)", (CLUSTER / "Dockerfile").read_text())
    assert uid
    assert pod["securityContext"]["fsGroup"] == int(uid[1])
    assert ("nvidia.com/gpu" in container["resources"]["limits"]) == (group == "workerGroupSpecs")


def test_no_file_names_the_key_of_wandb():
    for file in CLUSTER.iterdir():
        assert "API_KEY" not in file.read_text(), file.name


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_sound(name: str):
    subprocess.run(["bash", "-n", CLUSTER / name], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", CLUSTER / name], check=True)
