"""Servers on loopback that speak the protocols of Amazon's, Google's and Azure's object stores."""

import importlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import HTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from unreliable import Trouble, in_front_of
from upath import UPath

AZURITE = Path(__file__).parents[1] / ".tools" / "node_modules" / ".bin" / "azurite-blob"
"""Where .ci/run installs it."""
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's only account has this key, which its documentation states."""


@contextmanager
def amazon() -> Iterator[str]:
    """The URL of an empty bucket on moto's server."""
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "nobody")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        UPath("s3://study").mkdir()
        yield "s3://study"
    server.stop()


HEEDED = {"ifGenerationMatch"}
"""Empty in a test of what a store without it does."""


@contextmanager
def google() -> Iterator[str]:
    """The URL of an empty bucket on gcp-storage-emulator, which is made to heed `ifGenerationMatch` as Google does."""
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    port = _free_port()
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="study")
    with pytest.MonkeyPatch.context() as patch:
        _check_generations(emulator, patch)
        patch.setattr(HTTPServer, "request_queue_size", 128)  # of 5, clients that ask for more at once wait for minutes
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # it would ask Google what kind of bucket it is
        server.start()
        yield "gs://study"
    server.stop()


def _check_generations(emulator: Any, patch: pytest.MonkeyPatch) -> None:
    insert = importlib.import_module("gcp_storage_emulator.handlers.objects").insert
    missing = importlib.import_module("gcp_storage_emulator.exceptions").NotFound
    lock = Lock()

    def checked(request: Any, response: Any, storage: Any, *args: Any, **kwargs: Any) -> None:
        with lock:
            if HEEDED & request.query.keys() and request.query["ifGenerationMatch"] == ["0"]:
                name = request.query["name"][0] if "name" in request.query else request.data["meta"]["name"]
                with suppress(missing):
                    storage.get_file_obj(request.params["bucket_name"], name)
                    response.status = HTTPStatus.PRECONDITION_FAILED
                    return
            insert(request, response, storage, *args, **kwargs)

    for _, handlers in emulator.HANDLERS:
        for method, handler in handlers.items():
            if handler is insert:
                patch.setitem(handlers, method, checked)


@contextmanager
def azure() -> Iterator[str]:
    """The URL of an empty container on Azurite."""
    program = shutil.which("azurite-blob") or (str(AZURITE) if AZURITE.exists() else None)
    if program is None:
        pytest.skip("not installed: azurite-blob (npm)")
    port, folder = _free_port(), tempfile.mkdtemp(prefix="azurite-")
    command = [program, "--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--blobPort", str(port)]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    account = "devstoreaccount1"
    login = (f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={AZURITE_KEY};"
             f"BlobEndpoint=http://127.0.0.1:{port}/{account};")  # fmt: skip
    try:
        _await_port(port, server)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AZURE_STORAGE_CONNECTION_STRING", login)
            UPath("az://study").mkdir(parents=True)
            yield "az://study"
    finally:
        server.kill()  # asked to end, it waits for its clients' idle connections
        server.wait()
        shutil.rmtree(folder)


ENDPOINTS = {"s3": "AWS_ENDPOINT_URL", "gs": "STORAGE_EMULATOR_HOST", "az": "AZURE_STORAGE_CONNECTION_STRING"}
"""The variable that tells a client where its server is, by the protocol of URLs."""


@contextmanager
def in_trouble(url: str, trouble: Trouble) -> Iterator[None]:
    """Let new clients of a store, in this process and in those that it starts, reach it through a proxy."""
    name = ENDPOINTS[url.partition("://")[0]]
    server = os.environ[name]
    port = re.search(r"127\.0\.0\.1:(\d+)", server)[1]
    with in_front_of(int(port), trouble) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, server.replace(f"127.0.0.1:{port}", f"127.0.0.1:{proxy}"))
        UPath(url).fs.clear_instance_cache()
        yield
        trouble.fault, trouble.latency = (lambda *_: None), 0
    UPath(url).fs.clear_instance_cache()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert server.poll() is None, "azurite ended"
            assert time.monotonic() < deadline, "azurite does not listen"
            time.sleep(0.1)
        else:
            return
