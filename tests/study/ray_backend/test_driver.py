"""Real Ray, real W&B offline, real faults: what happens to a study when things die."""

import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from launching import Place, timeless, wait_for
from safetensors.torch import save_file

from study.plan import RunRecord
from wbc_model.choices import Init, Network, Trunks
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.weights import TrunkSpec

pytestmark = pytest.mark.slow
LISC = ("--tables", "11", "--datasets", "lisc")
WHOLE = ([0, 1, 2], 0)


@pytest.fixture
def place(drawn: Path, weights: Path, tmp_path: Path) -> Place:
    return Place(tmp_path, drawn, weights, tmp_path / "cache")


@pytest.fixture(scope="module")
def undisturbed(drawn: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunRecord]:
    """Records of a launch in which nothing happened."""
    folder = tmp_path_factory.mktemp("undisturbed")
    place = Place(folder, drawn, weights, folder / "cache")
    done = place.run(*LISC)
    assert done.returncode == 0, done.stderr
    assert len(place.records()) == 6
    assert set(place.begun().values()) == {1}
    return place.records()


def test_each_kind_of_failure_has_its_policy(place: Place, undisturbed: dict[str, RunRecord]):
    place.once("resnet50", 1, "io")
    place.once("densenet121", 1, "kill")
    place.always("inception_v3", 1, "code")
    place.always("jiang", 1, "nan")
    place.always("sharma", 0, "memory")
    place.once("ours", 1, "term")
    first = place.run(*LISC)
    assert first.returncode == 1, first.stderr
    names = {name.split(" ")[0] for name in place.records()}
    assert names == {"model.network=resnet50", "model.network=densenet121", "dataset=lisc"}, first.stderr
    assert "code: fix the code that the traceback shows" in first.stderr
    assert "ZeroDivisionError: division by zero" in first.stderr
    assert "the loss is nan in epoch 1, step 0" in first.stderr
    assert "it does not fit a whole GPU" in first.stderr
    assert "3 of 6 trials are missing" in first.stderr
    failed = {name: runs for name, runs in place.histories().items() if runs[0][1] != 0}
    assert {runs[-1][1] for runs in failed.values()} == {1}
    assert len(failed) == 3
    place.rules.clear()
    second = place.run(*LISC)
    assert second.returncode == 0, second.stderr
    assert {n: timeless(r) for n, r in place.records().items()} == {n: timeless(r) for n, r in undisturbed.items()}
    assert set(map(str, place.histories().values())) == {str([WHOLE])}
    assert max(place.begun().values()) <= 2, "at most one epoch is done again for each failure"
    assert not list(place.storage.glob("trials/*/checkpoint.pt"))
    assert not list(place.storage.glob("trials/*/error.json"))


@pytest.mark.parametrize("server", ["raylet", "gcs_server"])
def test_a_server_of_ray_that_dies_ends_in_the_summary(place: Place, server: str):
    place.always("any", 1, "sleep")
    with place.start(*LISC) as launcher:
        wait_for(lambda: place.begun().total() >= 2, launcher)
        (process,) = [each for each in psutil.Process(launcher.pid).children() if each.name() == server]
        process.kill()
        told = launcher.communicate(timeout=120)[0]
    assert launcher.returncode == 1, told
    assert f"Ray's {server} (process {process.pid}) has died" in told
    assert "trials are missing. Run the same command again: it runs only these." in told


def test_what_is_damaged_between_two_launches_is_told_and_every_trial_ends_as_undisturbed(
    place: Place, undisturbed: dict[str, RunRecord]
):
    place.always("any", 1, "sleep")
    with place.start(*LISC) as launcher:
        wait_for(lambda: list(place.storage.glob("trials/*/record.json")), launcher)
        begun = place.begun().total()
        wait_for(lambda: place.begun().total() >= begun + 2, launcher)
        launcher.kill()
    time.sleep(2)  # until its workers are gone
    place.rules.clear()
    damaged = [*place.storage.glob("trials/*/record.json"), *place.storage.glob("trials/*/checkpoint.pt"),
               *place.storage.glob("costs.json")]  # fmt: skip
    for file in damaged:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
    done = place.run(*LISC)
    assert done.returncode == 0, done.stderr
    for file in damaged:
        assert f"{file} is damaged: " in done.stderr
    assert "it is restored from its W&B run" in done.stderr
    assert {name: timeless(record) for name, record in place.records().items()} == {
        name: timeless(record) for name, record in undisturbed.items()
    }
    assert place.histories() == dict.fromkeys(undisturbed, [WHOLE])


def test_two_launchers_share_a_study_and_no_trial_runs_twice(place: Place):
    place.always("any", "any", "sleep")
    both = [place.start(*LISC) for _ in range(2)]
    answers = [process.communicate(timeout=600)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(answers)
    assert len(place.records()) == 6
    assert set(place.begun().values()) == {1}
    assert set(map(str, place.histories().values())) == {str([WHOLE])}


def test_one_ctrl_c_ends_epochs_and_the_same_command_goes_on(place: Place, undisturbed: dict[str, RunRecord]):
    place.always("any", "any", "sleep")
    first = place.start(*LISC)
    wait_for(lambda: len(place.begun()) >= 2, first)
    first.send_signal(signal.SIGINT)
    told = first.communicate(timeout=300)[0]
    assert first.returncode == 130, told
    assert "each trial finishes its epoch and is saved; press again to stop at once" in told
    assert "Run the same command again: it runs only these" in told
    assert "Traceback" not in told
    place.rules.clear()
    second = place.run(*LISC)
    assert second.returncode == 0, second.stderr
    assert set(place.begun().values()) == {1}, "no epoch was lost"
    assert {n: timeless(r) for n, r in place.records().items()} == {n: timeless(r) for n, r in undisturbed.items()}


def test_the_second_ctrl_c_stops_at_once_and_loses_one_epoch_at_most(place: Place):
    place.always("any", "any", "sleep")
    first = place.start(*LISC)
    wait_for(lambda: ("epochs", 1) if len(place.begun()) >= 3 else None, first)
    first.send_signal(signal.SIGINT)
    time.sleep(0.3)
    first.send_signal(signal.SIGINT)
    told = first.communicate(timeout=200)[0]
    assert first.returncode == 130, told
    place.rules.clear()
    second = place.run(*LISC)
    assert second.returncode == 0, second.stderr
    assert max(place.begun().values()) <= 2
    assert set(map(str, place.histories().values())) == {str([WHOLE])}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB, which a few trials fill."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_stops_the_study_with_the_reason_and_more_room_lets_it_go_on(place: Place, small_disk: Path):
    place.storage_at = small_disk / "runs"
    first = place.run(*LISC)
    assert first.returncode == 1, first.stderr
    assert "No space left on device" in first.stderr
    assert "free some space, make the folder writable, or choose another" in first.stderr
    assert len(place.records()) < 6
    subprocess.run(["mount", "-o", "remount,size=300m", str(small_disk)], check=True)
    second = place.run(*LISC)
    assert second.returncode == 0, second.stderr
    assert len(place.records()) == 6


def test_read_only_storage_is_told_before_anything_runs(place: Place, small_disk: Path):
    place.storage_at = small_disk / "runs"
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = place.run(*LISC)
    assert done.returncode == 2
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr


SEARCH = ("--search", "resnet_lisc", "--samples", "4")


def test_a_search_survives_a_kill_sees_no_test_data_and_names_its_winner(place: Place):
    place.always("any", "any", "sleep")
    first = place.start(*SEARCH)
    wait_for(lambda: len(place.begun()) >= 3, first)
    first.kill()
    first.communicate()
    place.rules.clear()
    second = place.run(*SEARCH, "--asha")
    assert second.returncode == 0, second.stderr
    root = place.storage / "searches" / "resnet_lisc"
    assert len(list(root.glob("samples/*.json"))) == len(list(root.glob("trials/*"))) == 4
    assert "as a row for TUNED in search_spaces/extensions.py:" in second.stdout
    assert not list(root.rglob("record.json"))
    assert not list(root.rglob("predictions.npz"))
    assert b"test/" not in b"".join(log.read_bytes() for log in root.rglob("*.wandb"))
    assert max(place.begun().values()) <= 2
    assert not place.records(), "a search fills no table"


def test_costs_are_learnt_and_a_budget_is_kept(place: Place):
    unknown = place.run(*LISC, "--budget", "1")
    assert unknown.returncode == 2
    assert "run --calibrate first" in unknown.stderr
    calibrated = place.run(*LISC, "--calibrate", "--gpu-price", "2")
    assert calibrated.returncode == 0, calibrated.stderr
    assert "[6/6]" in calibrated.stderr
    assert "money" in calibrated.stdout
    assert not place.records()
    none = place.run(*LISC, "--budget", "0.000001")
    assert none.returncode == 1
    assert "not started, because they exceed the remaining budget: 6 trials" in none.stderr
    assert "Incomplete tables: 11." in none.stderr
    enough = place.run(*LISC, "--budget", "1", "--quiet")
    assert enough.returncode == 0, enough.stderr
    assert "[1/6]" not in enough.stderr


def test_what_was_made_from_other_weights_is_stale_and_repeated_when_asked(place: Place, tmp_path: Path):
    first = place.run(*LISC)
    assert first.returncode == 0, first.stderr
    other = tmp_path / "other"
    shutil.copytree(place.weights, other)
    save_file(
        build_trunk(TrunkSpec(Network.RESNET50, Trunks.TINY), init=Init.RANDOM, seed=5).body.state_dict(),
        other / "tiny_resnet50.safetensors",
    )
    place.weights = other
    plan = place.run(*LISC, "--plan")
    assert "2 finished trials are stale: --rerun-stale retrains them." in plan.stdout
    left = place.run(*LISC)
    assert left.returncode == 1
    assert "stale and are kept" in left.stderr
    again = place.run(*LISC, "--rerun-stale")
    assert again.returncode == 0, again.stderr
    assert "6 trials: 4 finished, 2 to run" in again.stderr
    assert len(list(place.storage.glob("trials/*/stale-0.json"))) == 2
    assert len(place.records()) == 6


def test_at_a_terminal_a_board_shows_each_table(place: Place):
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
    with subprocess.Popen(place.command(*LISC), cwd=place.folder, env=place.environment(), stdout=side, stderr=side):
        os.close(side)
        shown = b""
        with suppress(OSError):  # what reading from a terminal ends with
            while piece := os.read(terminal, 65536):
                shown += piece
    os.close(terminal)
    told = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"Table 11 +· +· +6 +· +\d+\.\d\d%", told), told
    assert "nothing left" in told
    assert "epoch " in told
    assert "Traceback" not in told
    assert len(place.records()) == 6
