"""Where a model is read from, and what is said where there is none."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from upath import UPath

from wbc_model.errors import InputError
from wbc_model.inference.model_info import FILE
from wbc_model.inference.places import load

Keep = Callable[..., Path]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def trial(keep: Keep) -> Path:
    return keep()


@pytest.fixture
def served(trial: Path) -> Iterator[str]:
    """The URL of a folder that holds the trial's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(trial.parent)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_folder_a_file_and_their_urls_give_the_same_model(trial: Path, served: str, bucket: str):
    (UPath(bucket) / "trials/a-s1" / FILE).write_bytes((trial / FILE).read_bytes())
    first, *others = map(load, (
        trial, trial / FILE, str(trial), f"file://{trial}", f"{bucket}/trials/a-s1", f"{bucket}/trials/a-s1/{FILE}",
        f"{served}/{trial.name}", f"{served}/{trial.name}/{FILE}",
    ))  # fmt: skip
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for other in others:
        assert other.info == first.info
        assert torch.equal(other.network(x), first.network(x))


def test_a_folder_without_a_model_is_told_from_a_missing_one(tmp_path: Path):
    with pytest.raises(InputError, match=rf"{tmp_path}: no {FILE} in it, which a trial keeps"):
        load(tmp_path)
    with pytest.raises(InputError, match="no such file or folder; wanted the folder of a finished trial"):
        load(tmp_path / "none")


@pytest.mark.parametrize("url", ["{bucket}/none", "{served}/none", "{served}/none.safetensors", "nope://x/y",
                                 "http://127.0.0.1:9/model.safetensors"])  # fmt: skip
def test_a_url_that_holds_no_model_is_one_clear_error(url: str, served: str, bucket: str):
    url = url.format(served=served, bucket=bucket)
    with pytest.raises(InputError, match=rf"^{url}: .*; wanted the folder of a finished trial"):
        load(url)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path):
    file, trace = tmp_path / "checkpoint.pt", tmp_path / "trace"
    torch.save(Trap(trace), file)
    with pytest.raises(InputError, match="no whole safetensors file"):
        load(file)
    assert not trace.exists()


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.slow
@pytest.mark.usefixtures("wandb_stub")
def test_an_artifact_of_wandb_is_read(trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import wandb

    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    with wandb.init(project="study", id="a-s1") as run:
        artifact = wandb.Artifact("model-a", type="model")
        artifact.add_file(str(trial / FILE))
        run.log_artifact(artifact, aliases=["best"]).wait()
    assert load("wandb:lab/study/model-a:best").info == load(trial).info
    for name in ("lab/study/model-a:none", "lab/study/model-b:best", "nonsense"):
        with pytest.raises(InputError, match=f"^wandb:{name}: cannot be read"):
            load(f"wandb:{name}")
