"""Small studies whose data, weights and results are in object stores."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import object_stores
import pytest
from launching import Place, timeless, wait_for
from unreliable import Fault, Trouble
from upath import UPath

from study.storage import listed
from study.trial.leases import newest

pytestmark = pytest.mark.slow
LISC = ("--tables", "11", "--datasets", "lisc")
TRIALS, EPOCHS = 6, 2
ONE_AT_A_TIME = ("--cpus", str(os.cpu_count()))
"""Each launcher runs one trial."""


def put(folder: Path, url: str) -> str:
    """Copy a folder to a store, as a user does before a study."""
    UPath(url).fs.put(f"{folder}/", f"{url}/", recursive=True)
    return url


@pytest.fixture
def inputs(drawn: Path, weights: Path, tmp_path: Path) -> Callable[[str], Place]:
    """Gives a place in a bucket for a study, with its data and weights."""

    def in_store(url: str) -> Place:
        home = f"{url}/{tmp_path.name}"
        return Place(tmp_path, put(drawn, f"{home}/wbc"), put(weights, f"{home}/weights"), tmp_path / "cache",
                     url=f"{home}/runs", epochs=EPOCHS)  # fmt: skip

    return in_store


def assert_whole(place: Place) -> None:
    """Each trial has one record, each epoch once in its log and in its one W&B run, and no lease is held."""
    records, histories = place.records(), place.histories()
    assert len(records) == len(histories) == TRIALS
    assert all(history == [(list(range(EPOCHS)), 0)] for history in histories.values()), histories
    for record in records.values():
        folder = place.root / "trials" / record.trial.id
        assert [row["epoch"] for row in record.curves] == list(range(EPOCHS))
        assert len(listed(folder, "lease-*.json")) == 1
        assert newest(folder)[1].released
        assert not [name for name in ("checkpoint.pt", "error.json") if (folder / name).exists()]


def assert_tables(place: Place) -> None:
    """The analysis fills the table from the store."""
    command = [sys.executable, "-m", "analysis", "--storage", place.url, *LISC, "--out", str(place.folder / "tables"),
               "--set", "images=drawn", "trunks=tiny", "image_size=32", "augmentation=none", f"epochs={EPOCHS}",
               "lr=0.003"]  # fmt: skip
    done = subprocess.run(command, cwd=place.folder, capture_output=True, text=True, check=False, timeout=300)
    assert "Table 11: 6 of 6 rows" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stderr


def test_two_launchers_at_once_in_google_s_store(inputs: Callable[[str], Place], google_bucket: str):
    place = inputs(google_bucket)
    place.always("any", "any", "sleep")
    both = [place.start(*LISC, *ONE_AT_A_TIME) for _ in range(2)]
    answers = [process.communicate(timeout=600)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(answers)
    shares = [int(re.findall(r"(\d+) trials? in", told)[0]) for told in answers]
    assert min(shares) > 0
    assert sum(shares) == TRIALS
    assert set(place.begun().values()) == {1}
    assert_whole(place)
    assert_tables(place)


def test_of_two_launchers_at_once_in_azure_s_store_one_finishes_what_a_killed_one_began(
    inputs: Callable[[str], Place], azure_container: str
):
    place = inputs(azure_container)
    place.always("any", "any", "sleep")
    first, second = (place.start(*LISC, *ONE_AT_A_TIME) for _ in range(2))
    with first:
        wait_for(lambda: len(place.begun()) >= 2 and listed(place.root, "trials/*/checkpoint.pt"), first)
        first.kill()
    told = second.communicate(timeout=600)[0]
    assert second.returncode == 0, told
    assert max(place.begun().values()) <= 2
    assert place.begun().total() - len(place.begun()) <= 2, "of the one trial that was killed"
    assert_whole(place)
    assert_tables(place)


def test_a_study_in_a_slow_and_unreliable_store_ends_as_in_a_calm_one(inputs: Callable[[str], Place], bucket: str):
    calm, trouble = inputs(bucket), Trouble(latency=0.2)
    assert (done := calm.run(*LISC)).returncode == 0, done.stderr
    (calm.folder / "epochs.log").unlink()
    place = Place(calm.folder, calm.data, calm.weights, calm.cache, url=f"{calm.url}-in-trouble", epochs=EPOCHS)
    trouble.often()
    with object_stores.in_trouble(bucket, trouble):
        done = place.run(*LISC)
        assert done.returncode == 0, done.stderr
    assert min(trouble.met[fault] for fault in Fault) > 10
    assert set(place.begun().values()) == {1}
    assert_whole(place)
    assert_tables(place)
    assert {n: timeless(r) for n, r in place.records().items()} == {n: timeless(r) for n, r in calm.records().items()}
