"""Checks that a node runs on itself. They import libraries when they run, since a library may be what is missing."""

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
"""The modules that a trial imports, and the package of each."""
SHARED_MEMORY = 512 * 2**20
"""Bytes of /dev/shm below which Ray keeps its objects on disk."""
HASHED_FILES = 64
"""How many files of each dataset are compared by content, evenly spaced; the others are compared by size."""
PROBE = "import json, torch; print(json.dumps([torch.cuda.mem_get_info(i) for i in range(torch.cuda.device_count())]))"

SET_UP = "run cluster/setup.sh on it to install the pinned packages, and `ray up` to copy the program"
SHARE = "--storage needs a folder that all nodes share and may write to, or a URL (s3://, gs://, az://)"
SAME_DATA = (
    "--data and --weights need the same files on every node: mount one folder on all, copy it again, or give the "
    "URL of a store (s3://, gs://, az://)"
)
GPU = "see `nvidia-smi` on it: install the driver, end processes that use its memory, or start Ray with --num-gpus"


@dataclass(frozen=True)
class Finding:
    """Something wrong with a node."""

    cause: str
    remedy: str
    """How to repair it; empty if the cause says so."""
    fatal: bool = True
    """Whether no trial may run there."""

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}" if self.remedy else self.cause


def versions() -> dict[str, str]:
    """Hash of the program and versions of Python and the packages, by name."""
    found = {"the program": sources_hash(), "python": platform.python_version()}
    for package in LIBRARIES.values():
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def imports() -> list[Finding]:
    """A finding for each error with which libraries cannot be imported: one error may stop several."""
    failed: dict[str, list[str]] = {}
    for module in LIBRARIES:
        try:
            importlib.import_module(module)
        except Exception as error:  # a broken library may raise anything
            failed.setdefault(first_line(error), []).append(module)
    return [Finding(f"{', '.join(names)} cannot be imported: {why}", SET_UP) for why, names in failed.items()]


def look_at_data(trials: Iterable[Trial], settings: Settings, compared: dict[str, str]) -> None:
    """Add a digest of each dataset to `compared`.

    Raises:
        DataError: a dataset is missing.
    """
    for dataset in sorted({dataset for trial in trials for dataset in trial.config.tested}, key=str):
        if declared := settings.declared(dataset):
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
    """Digest of the names and sizes of a dataset's files, and of the content of some."""
    samples = sorted(find(dataset, root), key=lambda sample: sample.id)
    digest = hashlib.sha256()
    for number, sample in enumerate(samples):
        digest.update(f"{sample.id} {sample.size}\n".encode())
        if number % max(1, len(samples) // HASHED_FILES) == 0 and not sample.lacking:
            digest.update(sample.path.read_bytes())
    return f"{digest.hexdigest()[:12]} ({len(samples)} files)"


def look_at_weights(trials: Iterable[Trial], settings: Settings, compared: dict[str, str]) -> None:
    """Add a hash of the weights of each trunk to `compared`.

    Raises:
        WeightsError: weights are missing.
    """
    from study.trial.pretrained import weights_of

    for trial in trials:
        for trunk, weights in weights_of(trial.config, settings).items():
            compared[f"weights of {trunk} ({trial.config.trunks})"] = weights["sha256"][:12]


def look_for_room(trials: Iterable[Trial], settings: Settings) -> None:
    """Check that the datasets fit into the cache.

    Raises:
        DataError: the cache has too little space for data that is not prepared yet.
    """
    from wbc_model.preparation.cache import files_of, open_if_prepared
    from wbc_model.preparation.cache_folder import most_bytes, require_room

    settings.cache.mkdir(parents=True, exist_ok=True)
    for spec in {config.data for trial in trials for config in trial.config.everywhere}:
        files = files_of(spec, data=settings.folder_of(spec.dataset))
        if open_if_prepared(spec, files, cache=settings.cache) is None:
            need = most_bytes(len(files), image_size=spec.image_size)
            require_room(settings.cache, need=need, limit=settings.cache_limit)


def look_for_wandb(settings: Settings) -> None:
    """
    Raises:
        InputError: W&B does not accept runs.
    """
    from study.tracking.wandb_run import check

    check(settings)


def look_at_gpus(gpus: int, share: float) -> None:
    """Check the GPUs in another process, since Ray hides them from this one.

    Raises:
        RuntimeError: torch does not find as many GPUs as Ray assigns, or one has too little free memory for a trial.
    """
    if not gpus:
        return
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"torch cannot use it: {done.stderr.strip().splitlines()[-1]}")
    memory = json.loads(done.stdout)
    if len(memory) < gpus:
        raise RuntimeError(f"torch finds {len(memory)}, but Ray assigns {gpus}")
    for number, (free, total) in enumerate(memory):
        if free < share * total:
            raise RuntimeError(
                f"number {number} has {free / 1e9:.1f} GB free, but a trial takes {share * total / 1e9:.1f} GB"
            )


def shared_memory() -> list[Finding]:
    """A finding if /dev/shm is too small for Ray."""
    place = Path("/dev/shm")
    if not place.exists() or (size := shutil.disk_usage(place).total) >= SHARED_MEMORY:
        return []
    return [Finding(f"/dev/shm has {size / 2**20:.0f} MiB: Ray will use the disk instead",
                    "start a container with --shm-size=2g", fatal=False)]  # fmt: skip


def first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
