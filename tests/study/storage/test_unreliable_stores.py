"""Stores that are busy, lose their answers or do not answer at all: nothing is lost, and nothing is taken for empty."""

import threading
from collections.abc import Iterator
from pathlib import Path

import object_stores
import pytest
from unreliable import Fault, Trouble

from study.scheduling.failures import Failure, Kind
from study.storage import Storage, create, listed, read, write
from study.trial.leases import Held, Lease, newest

pytestmark = pytest.mark.slow

WRITES = {"s3": "PUT", "gs": "POST", "az": "PUT"}
"""The method with which each protocol writes an object."""


@pytest.fixture(params=["bucket", "google_bucket", "azure_container"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(f"{request.getfixturevalue(request.param)}/{tmp_path.name}")


@pytest.fixture
def trouble(storage: Storage, impatient: None) -> Iterator[Trouble]:  # noqa: ARG001
    """Between the clients and the store of the test."""
    trouble = Trouble()
    with object_stores.in_trouble(str(storage.root), trouble):
        yield trouble


def test_a_lease_that_was_written_without_an_answer_is_the_writer_s(storage: Storage, trouble: Trouble):
    folder = Storage(str(storage.root)).trial("a").folder
    trouble.once(WRITES[folder.protocol], Fault.LOST)
    lease = Lease.take(folder)
    assert trouble.met == {Fault.LOST: 1}
    with pytest.raises(Held):
        Lease.take(folder)
    lease.check()
    lease.release()
    trouble.once("DELETE", Fault.LOST)
    Lease.take(folder).release()
    assert trouble.met == {Fault.LOST: 2}
    assert newest(folder)[0] == 1


def test_a_file_of_somebody_else_is_not_taken_for_one_s_own(storage: Storage, trouble: Trouble):
    file = Storage(str(storage.root)).root / "lease-0.json"
    create(file, b"theirs")
    for fault in (Fault.LOST, Fault.BUSY):
        trouble.once(WRITES[file.protocol], fault)
        with pytest.raises(FileExistsError):
            create(file, b"mine")
    assert read(file) == b"theirs"


def test_an_answer_that_is_cut_off_is_asked_for_again(storage: Storage, trouble: Trouble):
    files = Storage(str(storage.root)).trial("a")
    files.write("whole", b"content" * 1000)
    trouble.once("GET", Fault.CUT)
    assert files.read("whole") == b"content" * 1000
    trouble.once("GET", Fault.CUT)
    assert [file.name for file in listed(files.folder, "w*")] == ["whole"]
    assert trouble.met == {Fault.CUT: 2}


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.LOST])
def test_a_store_that_does_not_answer_is_an_error_that_a_trial_is_retried_after(
    fault: Fault, storage: Storage, trouble: Trouble
):
    root = Storage(str(storage.root)).root
    write(root / "trials" / "a" / "record.json", b"")
    trouble.fault = lambda *_: fault
    asked = (
        lambda: read(root / "trials" / "a" / "record.json"),
        lambda: write(root / "b", b""),
        lambda: create(root / "c", b""),
        lambda: listed(root, "trials/*/record.json"),
        lambda: listed(root / "trials" / "a", "lease-*.json"),
        lambda: Storage(str(root)).trial("a").size("record.json"),
        lambda: Storage(str(root)).trial("a").discard("record.json"),
    )
    for ask in asked:
        with pytest.raises(OSError, match="cannot reach it") as caught:
            ask()
        assert Failure.of(caught.value, epochs=0).kind is Kind.TRANSIENT


def test_a_file_that_is_replaced_while_it_is_read_comes_from_one_write(storage: Storage):
    file, versions = storage.root / "costs.json", (b"short", b"much longer" * 9)
    write(file, versions[0])
    done = threading.Event()

    def replace() -> None:
        while not done.is_set():
            for content in versions:
                write(file, content)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        found = {read(file) for _ in range(100)}
    finally:
        done.set()
        writer.join()
    assert found <= set(versions)


@pytest.mark.parametrize("storage", ["bucket"], indirect=True)
def test_a_study_is_listed_and_a_trial_measured_in_few_requests(storage: Storage, trouble: Trouble):
    storage = Storage(str(storage.root))
    for n in range(5):
        write(storage.root / "trials" / f"{n:010x}-s0" / "record.json", b"")
    write(storage.root / "wandb" / f"run-{0:010x}-s0" / "files" / "config.yaml", b"12")
    for ask, answer, requests in (
        (lambda: len(storage.recorded()), 5, 1),
        (lambda: storage.size(f"{0:010x}-s0"), 2, 3),
    ):
        before = trouble.requests
        assert ask() == answer
        assert trouble.requests == before + requests
