"""Data and weights by URL: copied whole, once, again where the store has changed, and by one process at a time."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from launching import Place
from upath import UPath

from study.plan import RunRecord
from study.scheduling.failures import Failure, Kind
from study.settings import Settings, own_datasets
from study.storage import copies, local_copy
from wbc_model.datasets.dataset import DataError
from wbc_model.errors import InputError

FILES = {f"LISC Database/Main Dataset/{cell}/{n} ä.bmp": f"{cell} {n}".encode() * 99 for cell in "ab" for n in range(5)}
STORES = ["bucket", *(pytest.param(store, marks=pytest.mark.slow) for store in ("google_bucket", "azure_container"))]
COUNTED = """
import sys
from pathlib import Path
from study.storage import copies
copies.AT_ONCE = 1
one = copies._copy_one
def counted(*args, **kwargs):
    print("copied", flush=True)
    return one(*args, **kwargs)
copies._copy_one = counted
copies.local_copy(sys.argv[1], cache=Path(sys.argv[2]))
"""
"""A process that copies slowly and prints a line for each file that it begins."""


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    """A folder in a store with some files."""
    return filled(f"{request.getfixturevalue(request.param)}/{tmp_path.name}/wbc", FILES)


@pytest.fixture
def folder(bucket: str, tmp_path: Path) -> UPath:
    return filled(f"{bucket}/{tmp_path.name}/wbc", FILES)


def filled(url: str, files: dict[str, bytes]) -> UPath:
    root = UPath(url, use_listings_cache=False)
    for name, content in files.items():
        put(root, name, content)
    return root


def put(root: UPath, name: str, content: bytes) -> None:
    root.fs.pipe_file(f"{root.path}/{name}", content)


def copy(root: UPath | str, cache: Path, **limit: float) -> Path:
    """As a new process would."""
    local_copy.cache_clear()
    return local_copy(str(root), cache=cache, **limit)


def content(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """What changes if a file is written again."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


def process(root: UPath, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", COUNTED, str(root), cache], stdout=subprocess.PIPE, text=True)


def test_a_folder_is_used_as_it_is(tmp_path: Path):
    assert local_copy(tmp_path, cache=tmp_path / "cache") == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_copy_has_the_bytes_of_the_store_and_is_made_once(store: UPath, tmp_path: Path):
    copied = copy(store, tmp_path / "cache")
    assert content(copied) == FILES
    before = written(copied)
    assert copy(f"{store}/", tmp_path / "cache") == copied
    assert written(copied) == before


def test_what_changed_in_the_store_is_copied_again_and_nothing_else(store: UPath, tmp_path: Path):
    """One image is replaced by another of its size, one is new, and a folder is gone."""
    copied = copy(store, tmp_path / "cache")
    before = written(copied)
    changed, *kept = [name for name in FILES if "/a/" in name]
    put(store, changed, FILES[changed].swapcase())
    put(store, "LISC Database/new/1.bmp", b"new")
    for name in FILES:
        if "/b/" in name:
            store.fs.rm_file(f"{store.path}/{name}")
    copy(store, tmp_path / "cache")
    others = {name: FILES[name] for name in kept}
    assert content(copied) == others | {changed: FILES[changed].swapcase(), "LISC Database/new/1.bmp": b"new"}
    assert not (copied / "LISC Database" / "Main Dataset" / "b").exists()
    after = written(copied)
    assert {name: after[name] for name in before if name in after and name != Path(changed).name} == {
        Path(name).name: before[Path(name).name] for name in kept
    }


def test_a_file_that_was_cut_short_or_does_not_belong_is_repaired(folder: UPath, tmp_path: Path):
    copied = copy(folder, tmp_path / "cache")
    (copied / next(iter(FILES))).write_bytes(b"a")
    (copied / "LISC Database" / ".1.bmp.0123").write_bytes(b"a draft")
    copy(folder, tmp_path / "cache")
    assert content(copied) == FILES
    (copied.parent / "objects.json").write_text("{")
    copy(folder, tmp_path / "cache")
    assert content(copied) == FILES


def test_an_object_that_stands_for_a_folder_is_no_file(folder: UPath, tmp_path: Path):
    """Amazon's console makes such objects. Azure's client names them without the slash."""
    for key in ("wbc/", "wbc/LISC Database/", "wbc/LISC Database/Main Dataset"):
        folder.fs.call_s3("put_object", Bucket="study", Key=f"{tmp_path.name}/{key}", Body=b"")
    assert content(copy(folder, tmp_path / "cache")) == FILES


@pytest.mark.slow
def test_a_copy_that_was_killed_goes_on_where_it_stopped(folder: UPath, tmp_path: Path):
    files = {f"{n:03}.jpg": os.urandom(200_000) for n in range(60)}
    root = filled(f"{folder}/many", files)
    first = process(root, tmp_path / "cache")
    assert first.stdout
    for _ in range(20):
        first.stdout.readline()
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (copied,) = (tmp_path / "cache" / "copies").glob("*/many")
    before, found = written(copied), content(copied)
    whole = {name for name in found if name[0] != "."}
    assert 10 < len(whole) < 60
    assert {name: found[name] for name in whole} == {name: files[name] for name in whole}
    second = process(root, tmp_path / "cache")
    told, _ = second.communicate(timeout=60)
    assert (second.returncode, told.count("copied")) == (0, 60 - len(whole))
    assert content(copied) == files
    assert {name: written(copied)[name] for name in whole} == {name: before[name] for name in whole}


@pytest.mark.slow
def test_of_several_processes_one_copies_and_the_others_wait(folder: UPath, tmp_path: Path):
    several = [process(folder, tmp_path / "cache") for _ in range(3)]
    told = [each.communicate(timeout=60)[0].count("copied") for each in several]
    assert [each.returncode for each in several] == [0, 0, 0]
    assert sorted(told) == [0, 0, len(FILES)]


def test_part_of_an_object_is_never_taken_for_all_of_it(folder: UPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    listed = copies._listed
    monkeypatch.setattr(copies, "_listed", lambda root: {k: (size + 1, tag) for k, (size, tag) in listed(root).items()})
    with pytest.raises(InputError, match=r"\d+ of \d+ bytes of LISC Database/.* came"):
        copy(folder, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.bmp*"))


@pytest.mark.parametrize(("url", "message"), [
    ("s3://nowhere-at-all/wbc", r"all/wbc: .* cannot read it \(FileNotFoundError: The specified bucket does not exist"),
    ("{folder}/none", "none: no such folder, or nothing in it; wanted a folder that every machine may read: s3://"),
    ("{folder}/LISC Database/Main Dataset/a/1 ä.bmp", "no such folder"),
    ("nope://bucket/wbc", "nope://bucket/wbc: Unsupported filesystem: 'nope'; wanted a folder, s3://"),
    ("memory://wbc", "memory://.*wbc: this store tells no entity tags, by which changes are noticed; wanted"),
])  # fmt: skip
def test_what_cannot_be_copied_is_told(url: str, message: str, folder: UPath, tmp_path: Path):
    UPath("memory://wbc/a.bmp").write_bytes(b"a")
    with pytest.raises(InputError, match=message):
        copy(url.format(folder=folder), tmp_path / "cache")


def test_an_object_cannot_be_copied_out_of_its_folder(folder: UPath, tmp_path: Path):
    put(folder, "../../../evil.bmp", b"a")
    with pytest.raises(InputError, match=r"has an object \.\./\.\./\.\./evil\.bmp"):
        copy(folder, tmp_path / "cache")


@pytest.mark.slow
@pytest.mark.parametrize("store", ["google_bucket", "azure_container"])
def test_a_missing_bucket_is_told_by_each_store(store: str, request: pytest.FixtureRequest, tmp_path: Path):
    url = request.getfixturevalue(store).replace("study", "nowhere-at-all")
    with pytest.raises(InputError, match="nowhere-at-all/wbc: .*; wanted a folder that every machine may read"):
        copy(f"{url}/wbc", tmp_path / "cache")


class Forbidding(BaseHTTPRequestHandler):
    """Answers as Amazon does where the caller has no permission."""

    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def forbidding(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Forbidding)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


def test_a_store_that_refuses_is_told(bucket: str, forbidding: None, tmp_path: Path):  # noqa: ARG001
    UPath(bucket).fs.clear_instance_cache()
    with pytest.raises(InputError, match=r"cannot read it \(PermissionError: Access Denied\)"):
        copy("s3://theirs/wbc", tmp_path / "cache")
    UPath(bucket).fs.clear_instance_cache()


def test_a_copy_that_the_cache_has_no_room_for_is_refused_before_it_begins(folder: UPath, tmp_path: Path):
    with pytest.raises(DataError, match=r"may need 0\.0 GB more, over its limit of 1e-06 GB"):
        copy(folder, tmp_path / "cache", limit=1e-6)
    assert not list((tmp_path / "cache").rglob("*.bmp"))
    copied = copy(folder, tmp_path / "cache")
    assert copy(folder, tmp_path / "cache", limit=1e-6) == copied


def test_a_trial_is_tried_again_where_a_store_does_not_answer():
    assert Failure.of(copies.Unreachable("s3://a/b: no answer"), epochs=0).kind is Kind.TRANSIENT


def test_settings_find_datasets_and_weights_by_url(folder: UPath, tmp_path: Path):
    local_copy.cache_clear()
    cache = tmp_path / "cache"
    own = own_datasets([f"ward={folder}/LISC Database/Main Dataset", "lisc"], cache=cache, limit=None)
    (ward, place), (lisc, nowhere) = own.items()
    assert (ward.name, ward.classes, str(place), nowhere) == (
        "ward", ("a", "b"), f"{folder}/LISC Database/Main Dataset", None
    )  # fmt: skip
    settings = Settings(data=str(folder), weights=f"{folder}/LISC Database", own=((ward.name, place or ""),),
                        storage=str(tmp_path), cache=cache)  # fmt: skip
    assert Settings.from_json(settings.to_json()) == settings
    assert content(settings.folder_of(lisc)) == FILES
    assert sorted(entry.name for entry in settings.folder_of(ward).iterdir()) == ["a", "b"]
    weights = settings.weights_folder()
    assert weights
    assert len(content(weights)) == len(FILES)


def test_a_process_looks_into_the_store_once(folder: UPath, tmp_path: Path):
    copied = copy(folder, tmp_path / "cache")
    put(folder, "new.bmp", b"new")
    began = time.monotonic()
    assert local_copy(str(folder), cache=tmp_path / "cache") == copied
    assert time.monotonic() - began < 0.01
    assert content(copied) == FILES


@pytest.mark.slow
def test_a_study_of_data_in_a_store_has_the_records_of_one_of_a_folder(
    folder: UPath, drawn: Path, weights: Path, tmp_path: Path
):
    """The images are changed in the store between two launches: the records of the first are stale then."""
    for name, source in (("drawn", drawn), ("weights", weights)):
        filled(f"{folder}/{name}", content(source))
    here = Place(tmp_path, drawn, weights, tmp_path / "cache-1", storage_at=tmp_path / "runs-1", epochs=1)
    there = Place(tmp_path, f"{folder}/drawn", f"{folder}/weights", tmp_path / "cache-2",
                  storage_at=tmp_path / "runs-2", epochs=1)  # fmt: skip
    words = ("--tables", "11", "--datasets", "lisc")
    for place in (here, there):
        done = place.run(*words)
        assert done.returncode == 0, done.stderr
    assert len(here.records()) == 6
    assert {name: told(record) for name, record in there.records().items()} == {
        name: told(record) for name, record in here.records().items()
    }
    examined = there.run(*words, "--doctor")
    assert examined.returncode == 0, examined.stderr
    assert f"doctor: every node copies what it lacks of {folder}/drawn, {folder}/weights\n" in examined.stderr
    picture = next(name for name in content(drawn) if "Main Dataset/mono" in name)
    put(folder, f"drawn/{picture}", content(drawn)[picture] + b"another")
    done = there.run(*words)
    assert (done.returncode, done.stderr.count("stale: ")) == (1, 6), done.stderr


def told(record: RunRecord) -> tuple[object, ...]:
    """What a record says of a trial, but not how long it took."""
    made_from = record.provenance
    losses = [row["train_loss"] for row in record.curves]
    return record.trial, record.test, losses, made_from["data"], made_from["weights"], record.files["predictions.npz"]
