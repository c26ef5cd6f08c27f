import errno
import hashlib
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wbc_model.errors import Damaged
from wbc_model.files import (
    create_whole,
    sealed,
    sealed_lines,
    sha256_of,
    unsealed,
    unsealed_lines,
    whole_file,
    whole_folder,
    write_whole,
)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond 1000 bytes: the write of more fails halfway, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_replaced_and_its_folders_are_made(tmp_path: Path):
    file = tmp_path / "new" / "file"
    for content in (b"old", b"new"):
        write_whole(file, content)
        assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]


def test_a_full_disk_keeps_the_old_file_and_no_draft(tmp_path: Path):
    file = tmp_path / "file"
    write_whole(file, b"old")
    with full_disk():
        write_whole(file, bytes(2000))
    assert file.read_bytes() == b"old"
    with full_disk():
        create_whole(tmp_path / "other", bytes(2000))
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_hard_links_one_of_several_creates_the_file_whole(number: int, tmp_path: Path, monkeypatch):
    def link(*_: object) -> None:
        raise OSError(number, "as on FAT, gcsfuse or CIFS")

    monkeypatch.setattr(os, "link", link)
    create_whole(tmp_path / "file", b"first")
    with pytest.raises(FileExistsError):
        create_whole(tmp_path / "file", b"second")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"first")]


def test_a_block_that_raises_keeps_the_old_file_and_no_draft(tmp_path: Path):
    file = tmp_path / "file"
    write_whole(file, b"old")

    def stop_halfway() -> None:
        with whole_file(file) as draft:
            draft.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_halfway()
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_exists_is_not_created_again(tmp_path: Path):
    file = tmp_path / "file"
    create_whole(file, b"first")
    with pytest.raises(FileExistsError):
        create_whole(file, b"second")
    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_appears_when_it_is_complete(tmp_path: Path):
    folder = tmp_path / "new" / "folder"
    with whole_folder(folder) as draft:
        (draft / "inner").mkdir()
        (draft / "inner" / "file").write_text("content")
        assert not folder.exists()
    assert (folder / "inner" / "file").read_text() == "content"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_full_disk_keeps_no_draft_of_a_folder(tmp_path: Path):
    with full_disk(), whole_folder(tmp_path / "folder") as draft:
        (draft / "file").write_bytes(bytes(2000))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_of_a_folder_makes_way(tmp_path: Path):
    (tmp_path / "folder.part").mkdir()
    (tmp_path / "folder.part" / "half").touch()
    with whole_folder(tmp_path / "folder"):
        pass
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_hash_is_of_the_bytes(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("value", [{"a": 1.5, "b": [1, None]}, [], [{"a": 1}, {"b": 2}]])
def test_json_that_holds_its_hash_comes_back_and_so_does_json_without_one(value: dict | list):
    assert unsealed(sealed(value), where="f") == value
    assert unsealed(sealed(value, indent=1), where="f") == value
    assert unsealed(json.dumps(value), where="f") == value


def test_lines_come_back():
    rows = [{"epoch": 0, "loss": 0.1}, {"epoch": 1, "loss": float("inf")}]
    assert unsealed_lines(sealed_lines(rows), where="f") == rows
    assert unsealed_lines(b'{"epoch": 0}\n', where="f") == [{"epoch": 0}]


def test_a_changed_bit_of_json_is_noticed_or_changes_nothing():
    value = {"trial": "t", "counts": [[10, 0], [3, 7]], "loss": 0.125}
    content = sealed(value)
    for at in range(len(content)):
        for bit in range(8):
            try:
                found = unsealed(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :], where="f")
            except Damaged:
                continue
            assert {key: found[key] for key in value} == value


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_named(content: bytes):
    with pytest.raises(Damaged, match="^f is damaged: "):
        unsealed(content, where="f")


def test_the_names_of_new_folders_are_on_the_disk_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Else a power failure takes a folder with all that was written to it."""
    flushed, fsync = [], os.fsync

    def note(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_whole(tmp_path / "trials" / "t" / "record.json", b"{}")
    assert {tmp_path, tmp_path / "trials", tmp_path / "trials" / "t"} < set(flushed)
