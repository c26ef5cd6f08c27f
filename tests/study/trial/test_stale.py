"""Records against the data at hand: by bytes where it is prepared, else by the names and sizes of files."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from study.plan import RunRecord, Trial
from study.run import main
from study.settings import Settings
from study.storage import Storage
from study.trial import stale
from study.trial.inputs import check_inputs
from study.trial.stale import compare
from wbc_model.choices import Init
from wbc_model.config import TrialConfig
from wbc_model.datasets.find import DRAWN_MARK, find
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.models import TwoBranch
from wbc_model.preparation.manifest import read_manifest, write_manifest
from wbc_model.scoring.metrics import ConfusionMatrix

RANDOM = TwoBranch(resnet=Init.RANDOM, densenet=Init.RANDOM)
KNOBS = {"images": "drawn", "trunks": "tiny", "image_size": 32, "augmentation": "none"}
TRIALS = [Trial(TrialConfig(model=RANDOM, dataset=LISC, lr=lr).override(KNOBS), 0) for lr in (1e-3, 1e-4)]


def finish(trial: Trial, storage: Path, fingerprint: str, *, classes: tuple[str, ...] = LISC.classes) -> None:
    matrix = ConfusionMatrix(classes, tuple(tuple(int(a == b) for a in classes) for b in classes))
    record = RunRecord(trial=trial, best_epoch=0, validation=matrix, test=matrix, curves=[], seconds=1.0,
                       provenance={"data": fingerprint, "weights": {}})  # fmt: skip
    Storage(str(storage)).trial(trial.id).finish(record)


@pytest.fixture
def settings(drawn: Path, tmp_path: Path) -> Settings:
    """Every trial is finished, on data of which this machine has prepared nothing, and with it a copy of that data."""
    settings = Settings(data=tmp_path / "data", storage=str(tmp_path / "runs"), cache=tmp_path / "cache")
    shutil.copytree(drawn, settings.data)
    check_inputs(TRIALS, settings)
    shutil.rmtree(settings.cache)
    (manifest,) = (tmp_path / "runs" / "data").iterdir()
    for trial in TRIALS:
        finish(trial, tmp_path / "runs", manifest.stem.split("-")[1])
    return settings


def pictures(settings: Settings) -> list[Path]:
    return sorted((settings.data / "LISC Database" / "Main Dataset").rglob("*.bmp"))


def test_a_copy_of_the_same_files_is_the_same_data_and_each_dataset_is_looked_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    seen = []
    monkeypatch.setattr(stale, "files_of", lambda spec, data: seen.append(spec) or find(spec.dataset, data))
    found = compare(TRIALS, settings)
    assert (found.stale, found.not_compared) == ({}, ())
    assert len(seen) == 1


def test_files_that_are_missing_new_or_of_another_size_are_told_though_nothing_is_prepared(settings: Settings):
    first, *_, last = pictures(settings)
    for file in pictures(settings)[1:11]:
        file.unlink()
    shutil.copy(first, first.with_name("other.bmp"))
    last.write_bytes(last.read_bytes() + b"0")
    why = "other images of lisc (of 242 files 10 missing, 1 new, 1 of another size)"
    assert compare(TRIALS, settings).stale == {trial.id: why for trial in TRIALS}


def test_without_sizes_as_in_old_manifests_names_are_compared(settings: Settings):
    (manifest,) = Path(settings.storage).glob("data/*.csv")
    write_manifest(manifest, [replace(entry, size=None) for entry in read_manifest(manifest)])
    lines = [line.rsplit(",", 4)[0] for line in manifest.read_text().splitlines()]
    manifest.write_text("\n".join(lines) + "\n")
    assert lines[0] == "id,cell,split,copies,sha256,excluded"
    first, *_, last = pictures(settings)
    last.write_bytes(last.read_bytes() + b"0")
    assert compare(TRIALS, settings).stale == {}
    first.unlink()
    assert set(compare(TRIALS, settings).stale.values()) == {"other images of lisc (of 242 files 1 missing)"}


def test_missing_data_is_told_once_and_makes_nothing_stale(settings: Settings, tmp_path: Path):
    found = compare(TRIALS, replace(settings, data=tmp_path / "nowhere"))
    assert (found.stale, found.not_compared) == ({}, (f"{tmp_path / 'nowhere'}: no such folder",))
    mark = tmp_path / "empty" / DRAWN_MARK
    mark.parent.mkdir()
    mark.touch()
    (told,) = compare(TRIALS, replace(settings, data=tmp_path / "empty")).not_compared
    assert told.startswith("lisc: wanted LISC Database/Main Dataset in ")


def test_a_record_of_other_classes_is_stale(settings: Settings):
    finish(TRIALS[0], Path(settings.storage), "any", classes=LISC.classes[1:])
    ((name, why),) = compare(TRIALS, settings).stale.items()
    assert name == TRIALS[0].id
    assert why.startswith("other classes of lisc (monocyte, ")


def plan(settings: Settings, *words: str) -> int:
    knobs = [f"{knob}={value}" for knob, value in KNOBS.items()]
    where = ["--storage", settings.storage, "--cache", str(settings.cache)]
    return main(["--plan", "--tables", "11", "--datasets", "lisc", *where, *words, "--set", *knobs, "epochs=1"])


def test_a_plan_tells_stale_records_and_exits_as_a_launch_does(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    jiang = TrialConfig.from_json({"model": {"network": "jiang", "init": "random"}, "dataset": "lisc"})
    trial = Trial(jiang.override(KNOBS | {"epochs": 1}), 0)
    (manifest,) = Path(settings.storage).glob("data/*.csv")
    finish(trial, Path(settings.storage), manifest.stem.split("-")[1])
    given = ["--data", str(settings.data)]
    assert plan(settings, *given) == 0
    pictures(settings)[0].unlink()
    assert plan(settings, *given) == 1
    printed = capsys.readouterr().out
    assert f"stale: {trial.id}: other images of lisc (of 242 files 1 missing)" in printed
    assert "1 finished trials are stale: --rerun-stale retrains them." in printed
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / DRAWN_MARK).touch()
    assert plan(settings, "--data", str(tmp_path / "empty")) == 1
    assert "finished trials were not compared with their data: lisc: wanted LISC" in capsys.readouterr().out
    assert plan(settings, "--data", str(tmp_path / "nowhere")) == 2
    assert "no such folder" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path / "empty")
    assert plan(settings) == 0
    assert f"not compared with their data: {tmp_path / 'empty' / 'data'}: no such folder" in capsys.readouterr().out
