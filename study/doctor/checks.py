"""What a node can find out about itself. What the checks need is loaded in them: it may be what is missing."""

import hashlib
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from study.plan import Trial
from study.provenance import sources_hash
from study.settings import Settings
from wbc_model.datasets.dataset import DataError, Dataset
from wbc_model.datasets.declare import read
from wbc_model.datasets.find import find

LIBRARIES = {
    "cv2": "opencv-python-headless",
    "torch": "torch",
    "torchvision": "torchvision",
    "timm": "timm",
    "albumentations": "albumentations",
    "skimage": "scikit-image",
    "wandb": "wandb",
    "ray": "ray",
}
"""What a trial imports, and the package it is in."""
SHARED_MEMORY = 512 * 2**20
"""Bytes of /dev/shm below which Ray keeps its objects on the disk instead."""
LOOKED_INTO = 64
"""Files of each dataset whose bytes are compared, evenly spaced; of all others the sizes."""
PROBE = "import json, torch; print(json.dumps([torch.cuda.mem_get_info(i) for i in range(torch.cuda.device_count())]))"

SET_UP = "cluster/setup.sh on it installs the pinned packages, and `ray up` sends the program"
SHARE = "--storage wants a folder that is the same on every node and that each may write, or a URL (s3://, gs://)"
SAME_DATA = "--data and --weights want the same files on every node: mount one folder on all, or copy it again"
GPU = "`nvidia-smi` on it tells more: install its driver, end what holds its memory, or start Ray there with --num-gpus"


@dataclass(frozen=True)
class Finding:
    """Something wrong with a node."""

    cause: str
    remedy: str
    """Empty where the cause says it."""
    grave: bool = True
    """Else trials run there all the same."""

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}" if self.remedy else self.cause


def versions() -> dict[str, str]:
    found = {"the program": sources_hash(), "python": platform.python_version()}
    for package in LIBRARIES.values():
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def imports() -> list[Finding]:
    """Libraries by why they cannot be imported: one that stands on another fails with it."""
    failed: dict[str, list[str]] = {}
    for module in LIBRARIES:
        try:
            importlib.import_module(module)
        except Exception as error:  # a broken library raises what it likes
            failed.setdefault(first_line(error), []).append(module)
    return [Finding(f"{', '.join(names)} cannot be imported: {why}", SET_UP) for why, names in failed.items()]


def look_at_data(trials: Iterable[Trial], settings: Settings, compared: dict[str, str]) -> None:
    for dataset in sorted({dataset for trial in trials for dataset in trial.config.tested}, key=str):
        if declared := settings.folders.get(dataset.name):
            _compare_declarations(dataset, declared)
        compared[f"data of {dataset}"] = _digest(dataset, settings.folder_of(dataset))


def _compare_declarations(dataset: Dataset, path: Path) -> None:
    """
    Raises:
        DataError: this node's declaration of a dataset is not that of the launch.
    """
    here = read(path, name=dataset.name)
    if here.fingerprint != dataset.fingerprint:
        raise DataError(f"{path} declares {dataset} otherwise here than where the study was launched")


def _digest(dataset: Dataset, root: Path) -> str:
    """Of names and sizes of a dataset's files, and of the bytes of some."""
    samples = sorted(find(dataset, root), key=lambda sample: sample.id)
    digest = hashlib.sha256()
    for number, sample in enumerate(samples):
        digest.update(f"{sample.id} {sample.path.stat().st_size}\n".encode())
        if number % max(1, len(samples) // LOOKED_INTO) == 0:
            digest.update(sample.path.read_bytes())
    return f"{digest.hexdigest()[:12]} ({len(samples)} files)"


def look_at_weights(trials: Iterable[Trial], settings: Settings, compared: dict[str, str]) -> None:
    from study.trial.inputs import weights_of

    for trial in trials:
        for trunk, weights in weights_of(trial.config, settings).items():
            compared[f"weights of {trunk} ({trial.config.trunks})"] = weights["sha256"][:12]


def look_for_room(trials: Iterable[Trial], settings: Settings) -> None:
    """
    Raises:
        DataError: the cache has no room for data that is not prepared yet.
    """
    from study.trial.inputs import prepared
    from wbc_model.preparation.cache_folder import require_room

    settings.cache.mkdir(parents=True, exist_ok=True)
    for spec in {config.data for trial in trials for config in trial.config.everywhere}:
        try:
            prepared(spec, settings, may_build=False)
        except DataError:
            images = len(find(spec.dataset, settings.folder_of(spec.dataset)))
            require_room(settings.cache, images=images, image_size=spec.image_size, limit=settings.cache_limit)


def look_for_wandb(settings: Settings) -> None:
    from study.tracking.wandb_run import check

    check(settings)


def look_at_gpus(gpus: int, share: float) -> None:
    """In a process of its own: Ray hides GPUs from this one.

    Raises:
        RuntimeError: torch does not have the GPUs that Ray gives out, or one has no room for a trial.
    """
    if not gpus:
        return
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"torch cannot use it: {done.stderr.strip().splitlines()[-1]}")
    memory = json.loads(done.stdout)
    if len(memory) < gpus:
        raise RuntimeError(f"torch finds {len(memory)}, and Ray gives out {gpus}")
    for number, (free, total) in enumerate(memory):
        if free < share * total:
            raise RuntimeError(
                f"number {number} has {free / 1e9:.1f} GB free, and a trial takes {share * total / 1e9:.1f} GB"
            )


def shared_memory() -> list[Finding]:
    place = Path("/dev/shm")
    if not place.exists() or (size := shutil.disk_usage(place).total) >= SHARED_MEMORY:
        return []
    return [Finding(f"/dev/shm has {size / 2**20:.0f} MiB: Ray will use the disk in its place",
                    "give a container more with --shm-size=2g", grave=False)]  # fmt: skip


def first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
