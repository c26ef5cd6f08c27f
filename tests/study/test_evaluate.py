"""Kept models, tested on other images than those of their records."""

import hashlib
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.__main__ import main as analyse
from analysis.tables.notes import notes
from search_spaces.paper import DATASETS
from study.evaluate.__main__ import main
from study.evaluate.evaluation import Evaluation, evaluations_of, write_evaluation
from study.evaluate.evaluator import KeptModel, seen_images
from study.evaluate.robustness import robustness_of
from study.plan import RunRecord, Trial
from study.settings import Settings
from study.storage import Storage
from study.storage.examine import Fault, examine
from study.trial.execute import run_trial
from study.trial.inputs import check_inputs, prepared
from study.trial.kept_model import write_card
from tests.study.conftest import QUICK
from tests.study.trial.test_model_card import HALF, MADE
from wbc_model.choices import CELLS, Stain
from wbc_model.config import TrialConfig
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.preparation.macenko import normalised
from wbc_model.preparation.manifest import Entry
from wbc_model.scoring.alterations import ALTERATIONS, altered
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.synthetic import folders as drawn_data
from wbc_model.training.predict import predict_known


def entry(name: str, split: str) -> Entry:
    return Entry(name, "monocyte", split, 0, f"hash of {name}", "")  # pyrefly: ignore[bad-argument-type]


def test_images_that_a_model_has_seen_are_found_by_content_whatever_their_names():
    manifest = (entry("a", "train"), entry("b", "validation"), entry("c", "test"), entry("d", ""))
    hashes = {"1": "hash of a", "2": "hash of b", "3": "hash of c", "4": "hash of d", "5": "new"}
    assert seen_images(np.array(list("12345")), hashes, manifest) == {"train": 1, "validation": 1}
    assert seen_images(np.array(list("345")), hashes, manifest) == {}
    assert seen_images(np.array(list("12345")), hashes, None) is None


def finished(config: TrialConfig, settings: Settings) -> Trial:
    trial = Trial(config, 0, ("11",), QUICK | {"epochs": 1})
    check_inputs([trial], settings)
    list(run_trial(trial, settings))
    return trial


@pytest.mark.slow
def test_a_model_that_is_tested_later_fills_the_row_of_a_trial_that_is_tested_on_all(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The other trial, trained too, has the same record."""
    data = tmp_path / "data"
    drawn_data.write(data, datasets=DATASETS, share=1 / 200, side=40)
    settings = replace(settings, data=data, tracking="disabled")
    own = TrialConfig(dataset=LISC).override(QUICK | {"epochs": 1})
    trial = finished(own, settings)
    files = Storage(settings.storage).trial(trial.id)
    before = files.record()
    on = ["--on", "bccd", "ldwbc", "raabin", "lisc", "--data", str(data), "--cache", str(settings.cache)]
    words = [*on, "--storage", settings.storage]
    assert main(["proposed", *words]) == 0
    told, kept = capsys.readouterr().out, files.read("evaluations/bccd.json")
    assert f"{trial.id} on lisc: its record has this test" in told
    assert main([f"{settings.storage}/trials/{trial.id}", *on]) == 0, "nothing is tested twice"
    assert (capsys.readouterr().out, files.read("evaluations/bccd.json")) == (told, kept)
    assert files.record() == before
    card = (files.read("model-card.md") or b"").decode()
    assert all(f"| {title} |" in card for title in ("BCCD", "LDWBC", "Raabin"))
    study = analysis.read(settings.storage, tables=["E6"])
    (row,) = [row for row in study.tables[0].rows if row.runs]
    everywhere = finished(replace(own, test_on="all"), replace(settings, storage=str(tmp_path / "other")))
    record = Storage(str(tmp_path / "other")).trial(everywhere.id).record()
    assert record
    stands_in = row.runs[0]
    for field in ("trial", "validation", "test", "elsewhere", "best_epoch"):
        assert getattr(stands_in, field) == getattr(record, field)
    assert stands_in.provenance["data_elsewhere"] == record.provenance["data_elsewhere"]
    for dataset in record.elsewhere:
        ours = study.reading.predictions(everywhere.id, dataset)
        assert ours
        assert ours.matrix == record.elsewhere[dataset]
    told = f"Not trained for this table: the models of trials {trial.id}, tested on the other datasets later."
    assert told in notes(study.tables[0])


@pytest.mark.slow
def test_a_folder_is_tested_whole_and_what_the_model_has_seen_is_told(
    trials: list[Trial], settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    settings = replace(settings, tracking="disabled")
    trial = finished(replace(trials[3].config, epochs=1), settings)
    files, ward = Storage(settings.storage).trial(trial.id), tmp_path / "ward"
    for cell, name in (("basophil", "Baso"), ("monocyte", "mono"), ("blast", "lymp")):
        (ward / cell).mkdir(parents=True)
        for picture in sorted((settings.data / "LISC Database" / "Main Dataset" / name).iterdir())[:9]:
            shutil.copy(picture, ward / cell / f"copy of {picture.name}")
    words = [trial.id, "--on", str(ward), "--storage", settings.storage, "--cache", str(settings.cache)]
    assert main(words) == 1
    (found,) = evaluations_of(files).values()
    assert (sum(map(sum, found.matrix.counts)), found.unknown, found.matrix.classes) == (18, 9, CELLS)
    assert found.trained_on
    remark = f"the model was trained on {found.trained_on} and validated on {found.validated_on} of them"
    assert remark in capsys.readouterr().out
    assert remark in (files.read("model-card.md") or b"").decode()
    assert main([*words, "--allow-seen"]) == 0
    next(Path(settings.storage).glob("data/lisc-*.csv")).unlink()
    assert main([*words[:2], f"other={ward}", *words[3:]]) == 1
    assert "whether the model was trained on some of them is unknown" in capsys.readouterr().out
    for cell in ("basophil", "monocyte"):
        (ward / cell).rename(ward / f"{cell[::-1]}")
    assert main(words) == 2
    assert "knows none of its classes, only basophil, monocyte" in capsys.readouterr().err


@pytest.mark.slow
def test_altered_images_are_tested_once_and_fill_table_e8(
    trials: list[Trial], settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    settings = replace(settings, tracking="disabled")
    trial = finished(replace(trials[3].config, epochs=1), settings)
    files, out = Storage(settings.storage).trial(trial.id), tmp_path / "out"
    storage = ["--storage", settings.storage]
    words = [trial.id, "--on", "lisc", "--altered", "--data", str(settings.data), "--cache", str(settings.cache)]
    printed = ["robustness", "--tables", "11", "--datasets", "lisc", "--out", str(out), *storage]
    assert analyse(printed) == 1
    assert f"python -m study.evaluate {trial.id} --on lisc --altered" in capsys.readouterr().out
    assert main([*words, *storage]) == 0
    told, kept = capsys.readouterr().out, files.read("robustness/lisc.json")
    assert main([*words, *storage]) == 0
    assert (capsys.readouterr().out, files.read("robustness/lisc.json")) == (told, kept)
    found = robustness_of(files, "lisc")
    assert found
    assert {name: len(each) for name, each in found.matrices.items()} == dict.fromkeys(ALTERATIONS, 3)
    record = files.record()
    assert record
    assert {each.images for matrices in found.matrices.values() for each in matrices} == {record.test.images}
    assert analyse(printed) == 1, "rows of other models are missing"
    table = capsys.readouterr().out
    means = [100 * np.mean([each.accuracy for each in matrices]) for matrices in found.matrices.values()]
    assert " | ".join(f"{one:.2f}" for one in (100 * record.test.accuracy, *means)) in table
    lines = (out / "robustness.csv").read_text().splitlines()
    assert len(lines) == 1 + 15
    assert analyse(["check", "--out", str(out)]) == 0
    (out / "robustness.csv").write_text(lines[0])
    assert analyse(["check", "--out", str(out)]) == 1
    assert "robustness.csv: edited since it was written; line 2 is None" in capsys.readouterr().out
    assert main([*words, "--seed", "1", *storage]) == 0
    assert files.read("robustness/lisc.json") != kept
    content = files.read("robustness/lisc.json") or b""
    files.write("robustness/lisc.json", content.replace(b'"seed": 1', b'"seed": 0'))
    (fault,) = examine(Storage(settings.storage), lambda _: [])
    assert "robustness/lisc.json" in fault.what
    assert analyse(printed) == 1
    assert "robustness/lisc.json" in capsys.readouterr().out


@pytest.mark.slow
def test_altered_images_of_a_model_that_takes_normalised_stains_are_altered_first(
    trials: list[Trial], settings: Settings, tmp_path: Path
):
    settings = replace(settings, tracking="disabled")
    trial = finished(replace(trials[3].config, epochs=1, stain=Stain.MACENKO), settings)
    storage = Storage(settings.storage)
    words = [trial.id, "--on", "lisc", "--altered", "--storage", settings.storage, "--data", str(settings.data),
             "--cache", str(settings.cache)]  # fmt: skip
    assert main(words) == 0
    found, record = robustness_of(storage.trial(trial.id), "lisc"), storage.trial(trial.id).record()
    assert found
    assert record
    model = KeptModel(storage, record, device="cpu")
    test, raw = (prepared(replace(trial.config, stain=stain).data, settings).sets["test"] for stain in
                 (Stain.MACENKO, Stain.NONE))  # fmt: skip
    asked = partial(predict_known, model.network, classes=CELLS)
    assert asked(test).matrix == record.test
    for name, matrices in found.matrices.items():
        images = altered(raw, name, 2, seed=0)
        normal = replace(images, pixels=np.stack([normalised(rgb) for rgb in images.pixels]))
        assert asked(normal).matrix == matrices[2]
    assert any(asked(altered(test, name, 2, seed=0)).matrix != each[2] for name, each in found.matrices.items())
    (ward := tmp_path / "ward").mkdir()
    for cell, name in (("basophil", "Baso"), ("monocyte", "mono")):
        (ward / cell).symlink_to(settings.data / "LISC Database" / "Main Dataset" / name)
    assert main([trial.id, "--on", str(ward), "--allow-seen", *words[4:6], *words[8:]]) == 0
    assert list(settings.cache.glob("ward-macenko-32-*/manifest.csv"))


def test_evaluations_are_in_the_card_damaged_ones_are_found_and_a_model_that_was_deleted_is_no_damage(tmp_path: Path):
    matrix = ConfusionMatrix(CELLS, tuple(tuple(int(i == j) for j in range(5)) for i in range(5)))
    record = RunRecord(trial=Trial(TrialConfig(), 0), best_epoch=0, validation=matrix, test=matrix, curves=[],
                       seconds=1.0, provenance={}, files={"model.safetensors": "m"})  # fmt: skip
    files = Storage(str(tmp_path)).trial(record.trial.id)
    files.write_epochs([])
    files.finish(record)
    for name, content in (("bccd", b"numbers"), ("lisc", b"others")):
        files.write(f"predictions-{name}.npz", content)
        write_evaluation(files, Evaluation(
            dataset=name, title="a ward", declaration="", test_set=True, images="", model="m", matrix=matrix, unknown=0,
            trained_on=0, validated_on=0, predictions=hashlib.sha256(content).hexdigest(), seconds=1.0, made={},
        ))  # fmt: skip

    write_card(files, replace(record, provenance=MADE), HALF, manifest=())
    assert "\n| a ward | 5 |" in (card := (files.read("model-card.md") or b"").decode())
    assert "\n| a ward (lisc) | 5 |" in card

    def faults() -> list[Fault]:
        return list(examine(Storage(str(tmp_path)), lambda _: []))

    assert [(fault.what.rpartition("/")[2], fault.mend) for fault in faults()] == [
        ("model.safetensors is missing: the model can no longer be used", None)
    ]
    files.write("predictions-bccd.npz", b"numb")
    files.write("evaluations/lisc.json", b"{")
    for fault in faults()[1:]:
        assert "damaged" in fault.what
        assert fault.mend
        assert fault.mend().done.endswith("study.evaluate tests the model again")
    assert len(faults()) == 1
    assert evaluations_of(files) == {}


def test_a_trial_without_a_model_is_one_clear_error(settings: Settings, capsys: pytest.CaptureFixture[str]):
    assert main(["0000000000-s0", "--on", "lisc", "--storage", settings.storage]) == 2
    assert "no finished trial; wanted one of those in" in capsys.readouterr().err
    assert main(["all", "--on", "lisc", "--storage", settings.storage]) == 2
    assert "no finished trial with a model that is meant by all" in capsys.readouterr().err
