"""All trials of a study start from the same bytes, with a hub on loopback."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import timm
from huggingface_hub import constants
from safetensors.torch import save

from study.settings import Settings
from study.trial.pretrained import REVISIONS, check_networks, weights_of
from wbc_model.choices import Init
from wbc_model.config import TrialConfig
from wbc_model.models import Baseline
from wbc_model.networks.weights import WeightsError

NAME = "test_resnet.r160_in1k"
ROW = TrialConfig(model=Baseline(f"timm:{NAME}"), image_size=64)
COMMITS = ("a" * 40, "b" * 40)


@dataclass
class HubStub:
    """One repository with one file, served as the Hugging Face hub serves it. The last commit is the newest."""

    files: dict[str, bytes] = field(default_factory=dict)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                asked = re.fullmatch(rf"/timm/{NAME}/resolve/(\w+)/model.safetensors", self.path)
                revision = asked[1] if asked else ""
                commit = ["", *stub.files][-1] if revision == "main" else revision
                if commit not in stub.files:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("X-Repo-Commit", commit)
                self.send_header("ETag", f'"{commit}"')
                self.send_header("Content-Length", str(len(stub.files[commit])))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(stub.files[commit])

            do_GET = do_HEAD

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        return Handler


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStub]:
    stub = HubStub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), stub.handler())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    url = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield stub
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, storage=str(tmp_path / "runs"), cache=tmp_path / "cache")


def content() -> bytes:
    """The weights of a model as timm publishes them, from new random numbers."""
    return save(timm.create_model(NAME).state_dict())


def test_a_study_keeps_the_revision_of_its_first_trial(hub: HubStub, settings: Settings, tmp_path: Path):
    hub.files[COMMITS[0]] = content()
    check_networks([ROW], settings)
    first = weights_of(ROW, settings)
    assert first[f"timm:{NAME}"]["origin"] == f"hub timm/{NAME} at {COMMITS[0]}"
    assert json.loads((Path(settings.storage) / REVISIONS).read_text()) == {f"timm/{NAME}": COMMITS[0]}
    hub.files[COMMITS[1]] = content()
    check_networks([ROW], settings)
    assert weights_of(ROW, settings) == first
    new = Settings(data=tmp_path, storage=str(tmp_path / "new"), cache=tmp_path / "cache")
    check_networks([ROW], new)
    assert weights_of(ROW, new)[f"timm:{NAME}"]["origin"].endswith(COMMITS[1])


def test_a_name_may_choose_its_revision(hub: HubStub, settings: Settings):
    hub.files |= {commit: content() for commit in COMMITS}
    row = TrialConfig(model=Baseline(f"timm:{NAME}@{COMMITS[0]}"), image_size=64)
    check_networks([row], settings)
    ((name, weights),) = weights_of(row, settings).items()
    assert (name, weights["origin"]) == (f"timm:{NAME}@{COMMITS[0]}", f"hub timm/{NAME} at {COMMITS[0]}")
    assert not (Path(settings.storage) / REVISIONS).exists()


def test_weights_that_the_hub_does_not_have_are_named(hub: HubStub, settings: Settings):
    with pytest.raises(WeightsError, match=rf"could not be fetched from the hub \(timm/{NAME}: .*--weights DIR"):
        check_networks([ROW], settings)
    assert hub.files == {}
    assert not Path(settings.storage).exists()


def test_a_model_that_timm_does_not_have_is_found_before_training_even_from_scratch(settings: Settings):
    row = TrialConfig(model=Baseline("timm:resnet19.a1_in1k", Init.RANDOM))
    with pytest.raises(WeightsError, match="no model 'resnet19.a1_in1k': did you mean resnet18.a1_in1k"):
        check_networks([row], settings)
