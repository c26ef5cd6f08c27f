"""A storage in which something is damaged, and every command that reads it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from storages import TRIALS, study

from analysis.load import load
from analysis.output.files import outputs
from study import reconcile, status
from study.run import main as run
from study.storage import Storage

FIRST, SECOND, UNDER_WAY = (trial.id for trial in TRIALS)
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "half": lambda content: content[: len(content) // 2],
    "other JSON": lambda _: b'{"state": "fine"}',
    "a list": lambda _: b"[]",
    "a flipped bit": lambda content: (
        content[: len(content) // 3] + bytes([content[len(content) // 3] ^ 4]) + content[len(content) // 3 + 1 :]
    ),
}
FILES = ("plan.json", "costs.json", "data/ldwbc-*.csv", f"trials/{FIRST}/record.json", f"trials/{FIRST}/epochs.jsonl",
         f"trials/{FIRST}/predictions.npz", f"trials/{FIRST}/gradcam.png", f"wandb/*{FIRST}/run-{FIRST}.wandb",
         f"wandb/*{FIRST}/files/predictions.npz", f"trials/{UNDER_WAY}/epochs.jsonl",
         f"trials/{UNDER_WAY}/error.json", f"trials/{UNDER_WAY}/checkpoint.pt",
         f"trials/{UNDER_WAY}/lease-0.json")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written once: every test has a copy."""
    root = tmp_path_factory.mktemp("made") / "runs"
    study(root)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WANDB_MODE", "offline")
    shutil.copytree(made, tmp_path / "runs")
    return tmp_path / "runs"


def damage(file: Path, content: bytes) -> None:
    """Write it as if that was long ago: nobody writes a lease again that a living process holds."""
    file.write_bytes(content)
    os.utime(file, (0, 0))


def reconciled(root: Path, *words: str) -> int:
    os.environ["WANDB_MODE"] = "offline"  # which a command takes away
    return reconcile.main(["--storage", str(root), *words])


def commands(root: Path) -> dict[str, int]:
    """The exit status of each command that changes nothing."""
    where = ["--storage", str(root)]
    return {
        "plan": run(["--plan", "--tables", "4", "--cache", str(root / "cache"), "--weights", str(root), *where]),
        "status": status.main(where),
        "reconcile": reconciled(root),
    }


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def cells(root: Path) -> tuple[str, list[str]]:
    """The numbers of the tables, and what could not be read."""
    found = load(str(root), tables=["4"])
    assert found.manifests is not None
    return outputs(found)["cells.csv"], found.reading.problems


def test_a_storage_without_damage_is_whole(root: Path, capsys: pytest.CaptureFixture[str]):
    assert commands(root) == {"plan": 0, "status": 1, "reconcile": 0}
    assert "damaged" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_damage_is_named_by_path_and_repaired(
    name: str, kind: str, root: Path, made: Path, capsys: pytest.CaptureFixture[str]
):
    (file,) = root.glob(name)
    damage(file, DAMAGES[kind](file.read_bytes()))
    before = contents(root)
    found = commands(root)
    told = capsys.readouterr()
    assert found["reconcile"] == 1
    assert str(file) in told.err or (FIRST in told.err and "wandb" in name)
    if name == "plan.json":
        assert found["status"] == 2
    if file.name in ("costs.json", "record.json"):
        assert (found["plan"], found["status"]) == (1, 1)
        assert (told.out + told.err).count(f"{file} is damaged") == 3
    assert contents(root) == before, "looking changes nothing"
    assert reconciled(root, "--repair") == 0, capsys.readouterr().err
    assert reconciled(root) == 0, capsys.readouterr().err
    if file.name in ("record.json", "predictions.npz", "gradcam.png") and file.parent.name == FIRST:
        assert file.read_bytes() == (made / file.relative_to(root)).read_bytes()


def test_everything_cut_in_half_is_named_at_once_and_repaired(root: Path, capsys: pytest.CaptureFixture[str]):
    files = [next(root.glob(name)) for name in FILES if "wandb" not in name]
    for file in files:
        damage(file, DAMAGES["half"](file.read_bytes()))
    record = f"trials/{FIRST}/record.json"
    assert commands(root) == {"plan": 1, "status": 2, "reconcile": 1}
    told = capsys.readouterr()
    assert f"{root / record} is damaged: " in told.out, "by --plan"
    for file in files:
        assert f"{file} is damaged: " in told.err or FIRST in str(file), "what is beside a damaged record waits for it"
    assert reconciled(root, "--repair") == 0, capsys.readouterr().err
    assert commands(root) == {"plan": 0, "status": 2, "reconcile": 0}, capsys.readouterr()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["predictions.npz", "record.json"])
def test_what_w_and_b_has_no_copy_of_is_set_aside_and_told(name: str, root: Path, capsys: pytest.CaptureFixture[str]):
    shutil.rmtree(next(root.glob(f"wandb/*{FIRST}")))
    file = root / "trials" / FIRST / name
    damage(file, b"{}")
    assert reconciled(root, "--repair") == 1
    assert f"{file} is damaged: " in (told := capsys.readouterr().err)
    assert f"W&B has no copy: it is kept as damaged-0-{name}" in told
    assert (file.parent / f"damaged-0-{name}").read_bytes() == b"{}"
    assert not file.exists()
    assert Storage(str(root)).finished() == {FIRST, SECOND} - ({FIRST} if name == "record.json" else set())
    assert reconciled(root) == (name != "record.json"), "without a record the trial is to be run again"


def test_what_killed_processes_left_is_removed_and_what_is_the_user_s_stays(root: Path):
    old = [root / "trials" / FIRST / f".record.json.{'0' * 32}", root / f".costs.json.{'1' * 32}"]
    new, mine = root / f".plan.json.{'2' * 32}", root / "trials" / "notes" / "read.me"
    mine.parent.mkdir()
    for file in (*old, new, mine):
        file.write_bytes(b"half")
    for file in old:
        os.utime(file, (0, 0))
    os.utime(new, (time.time() - 120,) * 2)
    (root / "wandb" / "offline-run-9-gone" / "files").mkdir(parents=True)
    assert reconciled(root) == 1
    assert reconciled(root, "--repair") == 0
    assert not any(file.exists() for file in old)
    assert not (root / "wandb" / "offline-run-9-gone").exists()
    assert new.exists(), "it may be being written, on a machine whose clock is two minutes behind"
    assert mine.exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a flipped bit", "of another trial", "gone"])
@pytest.mark.parametrize("name", [name for name in FILES if FIRST in name or name.endswith("csv")])
def test_tables_have_no_other_number(name: str, kind: str, root: Path):
    (file,) = root.glob(name)
    expected, problems = cells(root)
    assert problems == []
    if kind == "of another trial":
        (other,) = root.glob(name.replace(FIRST, SECOND)) if FIRST in name else [root / "plan.json"]
        file.write_bytes(other.read_bytes())
    elif kind == "gone":
        file.unlink()
    else:
        file.write_bytes(DAMAGES[kind](file.read_bytes()))
    found, problems = cells(root)
    assert found == expected or problems
    assert set(found.splitlines()) <= set(expected.splitlines()) or "predictions.npz" in name


def test_examining_a_storage_needs_no_torch():
    code = "import study.reconcile, sys; print([m for m in ('torch', 'ray') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
