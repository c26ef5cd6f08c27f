"""Temporary folders, of this process and of others that are killed."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from study.temporary import MARK, require_temporary_space, sweep_temporary_folders, temporary_folder
from wbc_model.errors import UNWRITABLE

HOLD = """
import time
from study.temporary import temporary_folder
with temporary_folder("test") as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_folder_is_swept_once_its_process_is_dead(here: Path):
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        folder = Path(process.stdout.readline().strip())
        assert folder.parent.parent == here
        (folder / "file").touch()
        os.utime(folder.parent, (0, 0))
        sweep_temporary_folders()
        assert folder.is_dir(), "it is in use"
        process.kill()
        process.wait()
    sweep_temporary_folders()
    assert list(here.iterdir()) == []


def test_a_folder_that_is_new_or_another_s_stays(here: Path):
    for name in ("wbc-wandb-new", "wbc-results-2024"):
        (here / name).mkdir()
    (here / "wbc-wandb-new" / MARK).touch()
    os.utime(here / "wbc-results-2024", (0, 0))
    sweep_temporary_folders()
    assert {folder.name for folder in here.iterdir()} == {"wbc-wandb-new", "wbc-results-2024"}


def test_a_folder_is_empty_and_deleted_after_its_block(here: Path):
    with temporary_folder("test") as folder:
        assert Path(folder).parent.name.startswith("wbc-test-")
        assert list(Path(folder).iterdir()) == []
    assert list(here.iterdir()) == []


def test_where_there_is_no_room_is_told_with_the_remedy(here: Path, monkeypatch: pytest.MonkeyPatch):
    require_temporary_space()
    monkeypatch.setattr("study.temporary.NEEDED", 2**62)
    with pytest.raises(OSError, match=rf"MiB for temporary files .*: free some, or set TMPDIR: '{here}'") as full:
        require_temporary_space()
    monkeypatch.setenv("TMPDIR", str(here / "gone"))
    with pytest.raises(OSError, match="TMPDIR names a folder that does not exist") as gone:
        require_temporary_space()
    assert {full.value.errno, gone.value.errno} == {errno.ENOSPC, errno.EACCES} < UNWRITABLE
