"""Runs from a W&B server. Each is downloaded once and kept on this machine, so that an interrupted reading resumes.

The client itself waits and retries when the server answers 429 (too many requests) or 5xx.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlparse

import wandb
from tqdm import tqdm
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from analysis.runs.reading import Copy, Reading, match
from wbc_model.errors import InputError
from wbc_model.files import write_whole
from wbc_model.preparation.cache_folder import default_cache

PAGE = 100
"""Runs per request."""
PATIENCE = 60
"""Timeout of a request in seconds, the client's retries included."""


def read_online(path: str, *, cache: Path | None = None) -> Reading:
    """The finished runs of `ENTITY/PROJECT`, from their summaries alone, since W&B samples histories.

    Raises:
        InputError: W&B cannot be asked, or has no such project.
    """
    if not re.fullmatch(r"[^/]+/[^/]+", path):
        raise InputError(f"--wandb wants ENTITY/PROJECT, got {path!r}")
    with _asking_for(path):
        if not wandb.login(prompt=False):
            raise InputError("no W&B key: type `wandb login`, or set WANDB_API_KEY")
        api = wandb.Api(timeout=PATIENCE)
    return _read(api, path, cache or default_cache())


@contextmanager
def _asking_for(path: str) -> Iterator[None]:
    """Turn what the client raises into an InputError that names what was asked for. Only around calls of the client."""
    try:
        yield
    except (wandb.Error, WandbApiFailedError, ValueError) as error:
        raise InputError(f"cannot read {path} from W&B: {error}") from error


def _read(api: wandb.Api, path: str, cache: Path) -> Reading:
    reading = Reading()
    home = cache / "wandb" / urlparse(api.settings["base_url"]).netloc.replace(":", "-") / path
    folders: dict[str, Path] = {}
    with _asking_for(path):
        runs = list(api.runs(path, per_page=PAGE))  # names and states: light
    for run in runs:
        if run.state == "finished":
            folders[run.id] = _folder(home, run)
        else:
            reading.unfinished[run.id] = "still running" if run.state == "running" else f"W&B calls it {run.state}"
    new = {run_id: folder for run_id, folder in folders.items() if not (folder / "record").exists()}
    _download(api, path, new, home=home)
    for run_id, folder in folders.items():
        where = f"{path}/{run_id}"
        if not (folder / "record").exists():
            reading.unfinished[run_id] = "went on while it was read"
        elif text := (folder / "record").read_text(encoding="utf-8"):
            reading.add(run_id, text, partial(_fetch, reading, run_id, api, where, folder), where=where)
    return reading


def _folder(home: Path, run: wandb.apis.public.Run) -> Path:
    """The folder that keeps a run, another one after each heartbeat."""
    return home / run.id / re.sub(r"\W", "", run.heartbeatAt or "")


def _download(api: wandb.Api, path: str, folders: dict[str, Path], *, home: Path) -> None:
    """Download the record of each run to its folder, page by page."""
    ids = list(folders)
    with tqdm(total=len(ids), desc=f"read {path}", unit=" runs", disable=None if ids else True) as bar:
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            with _asking_for(path):
                runs = list(api.runs(path, filters={"name": {"$in": page}}, per_page=PAGE, lazy=False))
            bar.update(len(runs))
            for run in runs:
                if run.state == "finished" and _folder(home, run) == folders[run.id]:
                    shutil.rmtree(folders[run.id].parent, ignore_errors=True)  # of the run as it was before
                    write_whole(folders[run.id] / "record", run.summary_metrics.get("record", "").encode())


def _fetch(reading: Reading, run_id: str, api: wandb.Api, where: str, folder: Path, name: str) -> bytes | None:
    """A file of a run, downloaded once; None if the run has no such file, or a damaged one.

    Raises:
        InputError: W&B cannot be asked.
    """
    kept = folder / name
    if not kept.exists():
        with _asking_for(f"{name} of {where}"):
            files = {file.name: file for file in api.run(where).files()}
            found = match(name, files)
            if found is None:
                return None
            with TemporaryDirectory() as elsewhere, files[found].download(root=elsewhere) as file:
                write_whole(kept, Path(file.name).read_bytes())
    return reading.intact(run_id, kept.name, [Copy(kept.name, f"{name} of {where}", kept.read_bytes())])
