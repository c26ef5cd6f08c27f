"""What the doctor makes of what nodes say, and what a node finds out about itself."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from study.doctor import checks
from study.doctor.checks import SAME_DATA, SET_UP, SHARE, Finding, imports, look_at_data, look_at_gpus
from study.doctor.examine import SKEW, Facts, check_shared_storage, examine, judge, request
from study.plan import Trial
from study.ray_backend.nodes import Answer
from study.settings import Settings
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import DataError
from wbc_model.datasets.declare import declare
from wbc_model.datasets.find import find
from wbc_model.datasets.lisc import DATASET as LISC

HEAD, WORKER = "10.0.0.1", "10.0.0.2"


def facts(name: str, *findings: Finding, **compared: str) -> Facts:
    return Facts(name, list(findings), compared)


def judged(worker: Facts | str, *, unseen: dict[str, list[str]] | None = None, skew: float = 0.0) -> list[Finding]:
    """What is found on a worker beside a head in order."""
    head = facts("head", torch="2", **{"data of lisc": "a (250 files)"})
    found = judge(
        {HEAD: head, WORKER: worker}, unseen or {}, {WORKER: skew}, here=HEAD, storage="/runs"
    )  # fmt: skip
    assert found[HEAD] == []
    return found[WORKER]


def test_equal_nodes_are_fit():
    assert judged(facts("worker", torch="2", **{"data of lisc": "a (250 files)"}), skew=SKEW - 1) == []


def test_what_differs_from_the_launchers_node_is_named_with_both_values():
    (version,) = judged(facts("worker", torch="1"))
    assert version == Finding("torch is 1, but 2 on head", SET_UP)
    (data,) = judged(facts("worker", torch="2", **{"data of lisc": "b (249 files)"}))
    assert data == Finding("data of lisc is b (249 files), but a (250 files) on head", SAME_DATA)


def test_what_a_node_could_not_look_at_is_not_taken_for_a_difference():
    assert judged(facts("worker", Finding("torch cannot be imported", SET_UP))) == [
        Finding("torch cannot be imported", SET_UP)
    ]


def test_a_node_that_does_not_answer_is_unfit():
    (finding,) = judged("ModuleNotFoundError: No module named 'study'")
    assert "No module named 'study'" in finding.cause


@pytest.mark.parametrize("unseen", [{WORKER: [HEAD]}, {HEAD: [WORKER]}])
def test_storage_that_shows_only_one_of_two_files_is_not_shared(unseen: dict[str, list[str]]):
    (finding,) = judged(facts("worker"), unseen=unseen)
    assert finding == Finding("/runs is not the same folder as on head", SHARE)


def test_a_node_is_not_blamed_for_another_that_writes_elsewhere():
    all_facts = {name: facts(name) for name in (HEAD, WORKER, "10.0.0.3")}
    unseen = {HEAD: ["10.0.0.3"], WORKER: ["10.0.0.3"], "10.0.0.3": [HEAD, WORKER]}
    found = judge(all_facts, unseen, {}, here=HEAD, storage="/runs")
    assert [bool(found[name]) for name in all_facts] == [False, False, True]


def test_a_node_that_cannot_write_is_not_told_twice():
    readonly = Finding("storage: Read-only file system", SHARE)
    assert judged(facts("worker", readonly), unseen={HEAD: [WORKER]}) == [readonly]


@pytest.mark.parametrize(("skew", "word"), [(SKEW + 1, "ahead of"), (-SKEW - 1, "behind")])
def test_a_clock_that_leases_could_not_rely_on_is_named(skew: float, word: str):
    (finding,) = judged(facts("worker"), skew=skew)
    assert finding.cause == f"its clock is 21 s {word} that of head"


def test_a_clock_is_only_blamed_for_what_waiting_does_not_explain():
    answer = Answer(None, "", asked=100.0, answered=110.0)
    assert [answer.skew(clock) for clock in (95.0, 100.0, 107.0, 110.0, 140.0)] == [-5.0, 0.0, 0.0, 0.0, 30.0]


def ask(trials: list[Trial], settings: Settings, *, token: str = "") -> Facts:
    asked = request(trials, settings, {}) | ({"token": token} if token else {})
    return Facts.from_json(examine(asked, address=WORKER, gpus=0, share=0))


@pytest.mark.slow
def test_a_node_in_order_finds_nothing_and_tells_what_is_to_be_equal(trials: list[Trial], settings: Settings):
    told = ask(trials, settings, token="now")
    assert told.findings == []
    assert {"the program", "python", "timm", "data of lisc", "weights of resnet50 (tiny)"} <= told.compared.keys()
    assert check_shared_storage(settings.storage, [WORKER, HEAD], token="now")["unseen"] == [HEAD]
    assert check_shared_storage(settings.storage, [WORKER], token="another day")["unseen"] == [WORKER]


@pytest.mark.slow
def test_data_that_differ_by_one_byte_are_told_apart(trials: list[Trial], settings: Settings, tmp_path: Path):
    other = replace(settings, data=tmp_path / "data")
    shutil.copytree(settings.data, other.data)
    same = ask(trials, other).compared["data of lisc"]
    assert same == ask(trials, settings).compared["data of lisc"]
    image = find(LISC, other.data)[100].path
    image.write_bytes(image.read_bytes() + b"\0")
    assert ask(trials, other).compared["data of lisc"] != same


@pytest.mark.slow
def test_what_is_missing_or_has_no_room_is_told_with_its_remedy(
    trials: list[Trial], settings: Settings, tmp_path: Path
):
    (absent,) = ask(trials, replace(settings, weights=tmp_path / "nothing")).findings
    assert absent.cause.startswith("weights: ")
    (full,) = ask(trials, replace(settings, cache_limit=1e-6)).findings
    assert "over its limit" in full.cause
    taken = tmp_path / "file"
    taken.write_text("")
    causes = [finding.cause for finding in ask(trials, replace(settings, storage=str(taken))).findings]
    assert any(cause.startswith("storage: ") for cause in causes)


def test_gpus_that_ray_gives_out_and_torch_has_not_are_told():
    look_at_gpus(0, 0.5)
    with pytest.raises(RuntimeError, match=r"torch (finds 0, but Ray assigns 64|cannot use it)"):
        look_at_gpus(64, 0.5)


def test_a_gpu_must_have_room_for_the_largest_trial(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checks, "PROBE", "print([[1e9, 80e9]])")
    look_at_gpus(1, 0.01)
    with pytest.raises(RuntimeError, match=r"number 0 has 1\.0 GB free, but a trial takes 40\.0 GB"):
        look_at_gpus(1, 0.5)


def test_a_library_that_cannot_be_imported_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert imports() == []
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1 is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2")
    assert imports() == [Finding("cv2 cannot be imported: libGL.so.1 is missing", SET_UP)]


def test_an_own_dataset_that_a_node_declares_otherwise_is_told(tmp_path: Path):
    folder = tmp_path / "cells"
    for name in ("blast", "band"):
        (folder / name).mkdir(parents=True)
        (folder / name / "1.png").write_bytes(b"image")
    dataset, place = declare(str(folder))
    settings = Settings(data=tmp_path, storage=str(tmp_path), cache=tmp_path, own=((dataset.name, place),))
    compared: dict[str, str] = {}
    look_at_data([Trial(TrialConfig(dataset=dataset), 0)], settings, compared)
    assert compared["data of cells"].endswith("(2 files)")
    (folder / "dataset.toml").write_text('classes = ["blast", "band"]')
    with pytest.raises(DataError, match=r"cells declares cells otherwise here than where the study was launched"):
        look_at_data([Trial(TrialConfig(dataset=dataset), 0)], settings, compared)
