import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image

from analysis.__main__ import main
from analysis.commands.check import main as check
from analysis.load import load
from analysis.report.links import links_of
from analysis.report.trial_pages import NO_PICTURES
from analysis.report.wrong_images import MOST, PROBABLE, true_classes
from search_spaces.paper import vary
from study.storage import Storage, manifest_file
from tests.analysis.report.browser import fits, navigable, violations
from tests.analysis.report.test_page import Page, png
from wbc_model.datasets.images import read_rgb
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.preparation.cache import Prepared, prepare
from wbc_model.scoring.predictions import Predictions

CONFIG = vary(dataset=LISC, images="drawn", image_size=32, trunks="tiny")


def test_the_most_wrong_come_first_and_no_more_than_some_are_listed():
    classes = ("a", "b", "c", "d", "e")
    truth = np.array([0, 0, 0, 2] + (MOST + 5) * [1])
    probabilities = np.full((len(truth), 5), 0.01)
    probabilities[:4] = [(0.3, 0.7, 0, 0, 0), (0.6, 0.4, 0, 0, 0), (0.1, 0.2, 0.3, 0.15, 0.25), (0, 0, 1, 0, 0)]
    probabilities[4:, 0] = np.linspace(0.5, 0.9, MOST + 5)
    probabilities[4:, 1] = np.linspace(0.4, 0.0, MOST + 5)
    ids = np.array([f"{i}.png" for i in range(len(truth))])
    a, b, c = true_classes(Predictions(classes=classes, ids=ids, truth=truth, probabilities=probabilities))
    assert [(each.name, each.total, each.wrong) for each in (a, b, c)] == [("a", 3, 2), ("b", 29, 29), ("c", 1, 0)]
    assert [(image.name, image.called) for image in a.listed] == [("2.png", "c"), ("0.png", "b")]
    assert a.listed[0].probabilities == (("c", 0.3), ("e", 0.25), ("b", 0.2), ("a", 0.1))
    assert len(a.listed[1].probabilities) == PROBABLE
    assert [image.name for image in b.listed] == [f"{i}.png" for i in range(MOST + 8, 8, -1)]


@pytest.fixture(scope="module")
def made(drawn, tmp_path_factory) -> Prepared:
    """LISC, drawn, in a cache."""
    return prepare(CONFIG.data, data=drawn, cache=tmp_path_factory.mktemp("cache"), workers=1)


@pytest.fixture
def home(tmp_path, drawn, made, make_record, monkeypatch) -> Path:
    """A folder with LISC, drawn, in `data`, its cache, and in `runs` two trials that call everything a basophil."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(drawn, tmp_path / "data")
    shutil.copytree(made.folder, tmp_path / "cache/wbc-study" / made.folder.name)
    images, n = made.sets["test"], len(LISC.classes)
    probabilities = np.tile(np.linspace(0.4, 0.05, n), (len(images), 1))  # each is called a basophil
    called = Predictions(
        classes=LISC.classes, ids=np.array(images.ids), truth=images.labels, probabilities=probabilities
    )
    storage = Storage("runs")
    storage.write(manifest_file("lisc", made.fingerprint), (made.folder / "manifest.csv").read_bytes())
    for seed in (0, 1):
        record = make_record(CONFIG, seed=seed, overrides=OVERRIDES, provenance={"data": made.fingerprint})
        files = storage.trial(record.trial.id)
        files.write("predictions.npz", called.to_npz())
        files.write("gradcam.png", png())
        files.write("model.safetensors", b"weights")
        files.finish(replace(record, test=called.matrix))
    return tmp_path


OVERRIDES = {"images": "drawn", "image_size": 32, "trunks": "tiny"}
ID = f"{CONFIG.id}-s0"
WITHOUT = escape(NO_PICTURES.format(folder="which is STORAGE/data"))
PRINT = ["--datasets", "lisc", "--no-figures"]


def printed(home: Path, *more: str) -> str:
    """The trial's page, printed again."""
    assert main([*PRINT, *more]) in (0, 1)
    return (home / f"build/misclassified/{ID}.html").read_text(encoding="utf-8")


def pictures(html: str) -> list[str]:
    return re.findall(r'<img src="([^"]*)" loading="lazy" width', html)


def test_a_page_shows_each_wrong_image_from_the_cache_with_its_probabilities(home, capsys):
    html = printed(home)
    wrong = sum(1 for line in html.splitlines() if "basophil</span>" in line)
    assert len(pictures(html)) == wrong > 3
    assert {read_rgb(home / "build/misclassified" / name).shape for name in pictures(html)} == {(128, 128, 3)}
    assert WITHOUT not in html
    assert "True class basophil: 0 of " in html
    assert '<li class="true" style="--share: 0.0500"><span>lymphocyte (true)</span> <span>5.0 %</span></li>' in html
    assert 'role="alert">Rehearsal: tiny networks' in html
    assert f'<a href="../../runs/trials/{ID}/model.safetensors">trained model</a>' in html
    assert (home / "build/misclassified" / f"../../runs/trials/{ID}/model.safetensors").is_file()
    Page(html)
    report = (home / "build/report.html").read_text(encoding="utf-8")
    assert f'"address": "misclassified/{ID}.html"' in report
    assert f'"address": "../runs/trials/{ID}/model.safetensors"' in report
    assert check([]) == 0
    (home / "build" / "misclassified" / pictures(html)[0]).unlink()
    assert check([]) == 1
    assert f"misclassified/{pictures(html)[0]} is missing" in capsys.readouterr().out


def test_without_a_cache_pictures_are_those_of_the_data_folder_that_were_tested(home):
    shutil.rmtree(home / "cache")
    without = printed(home)
    assert pictures(without) == []
    assert WITHOUT in without
    assert without.count("<p>") > 3
    wrong = printed(home, "--data", "data")
    assert len(pictures(wrong)) > 3
    assert WITHOUT not in wrong
    name = re.findall("<p>(.*)</p>", wrong)[-1]
    (changed,) = (home / "data").rglob(name)
    Image.fromarray(read_rgb(changed)[:, ::-1]).save(changed)
    fewer = printed(home, "--data", "data")
    assert len(pictures(fewer)) == len(pictures(wrong)) - 1
    assert WITHOUT in fewer


def test_damaged_caches_and_manifests_cost_pictures_alone(home, made):
    """Another dataset of the same name lies in the cache too."""
    other = home / "cache/wbc-study" / "lisc-32-other"
    other.mkdir()
    (other / "manifest.csv").write_text("id,cell,split,copies,sha256,excluded\na.png,blast,test,0,1,\n")
    assert pictures(printed(home))
    (home / "cache/wbc-study" / made.folder.name / "test.npy").write_bytes(b"")
    assert pictures(printed(home)) == []
    assert pictures(printed(home, "--data", "data"))
    for file in (*home.glob("runs/data/*.csv"), *home.glob("cache/wbc-study/*/manifest.csv")):
        file.write_bytes(b"\xff")
    assert pictures(printed(home, "--data", "data")) == []


def test_pages_of_another_printing_go(home):
    stale = home / "build/misclassified/images/0.jpg", home / "build/misclassified/0-s0.html"
    stale[0].parent.mkdir(parents=True)
    for file in stale:
        file.touch()
    printed(home)
    assert not any(file.exists() for file in stale)


def test_a_model_in_an_object_store_is_named_by_its_url(home, bucket, make_record):
    storage = Storage(f"{bucket}/pages")
    record = make_record(CONFIG, overrides=OVERRIDES)
    storage.trial(record.trial.id).finish(record)
    storage.trial(record.trial.id).write("model-card.md", b"# Card")
    (link,) = links_of(load(f"{bucket}/pages", datasets=["lisc"]), start=home)[record.trial.id]
    assert (link.text, link.address) == (f"model card: {bucket}/pages/trials/{ID}/model-card.md", "")


def test_a_page_shows_the_images_that_most_trials_get_wrong_and_what_each_calls_them(home):
    printed(home, "--seeds", "0", "1")
    html = (home / "build/misclassified/dataset-lisc.html").read_text(encoding="utf-8")
    wrong = html.count("basophil</span> <span>2 of 2</span>")
    assert len(pictures(html)) == wrong > 3
    assert "Table 11, LISC Our model: basophil, basophil" in html
    assert 'role="alert">Rehearsal: tiny networks' in html
    Page(html)
    report = (home / "build/report.html").read_text(encoding="utf-8")
    assert f'<a href="misclassified/dataset-lisc.html">{wrong} images of LISC</a>' in report
    assert check([]) == 0


def test_a_page_of_a_dataset_says_why_it_has_no_pictures(home):
    def of_dataset(*more: str) -> str:
        printed(home, "--seeds", "0", "1", *more)
        return (home / "build/misclassified/dataset-lisc.html").read_text(encoding="utf-8")

    assert WITHOUT not in of_dataset()
    shutil.rmtree(home / "cache")
    without = of_dataset()
    assert pictures(without) == []
    assert WITHOUT in without
    Page(without)
    assert WITHOUT not in of_dataset("--data", "data")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_a_page_bars_nobody_and_is_reached_from_a_number(home, chromium, width, scheme):
    printed(home, "--seeds", "0", "1")
    tab = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab.goto((home / "build/report.html").as_uri())
    tab.locator("#table-11 tbody tr", has_text="Our model").locator("button.open").first.click()
    tab.get_by_role("link", name="test images wrong").first.click()
    assert tab.url.endswith(f"misclassified/{ID}.html")
    assert fits(tab)
    assert navigable(tab)
    assert violations(tab) == []
    tab.goto((home / "build/misclassified/dataset-lisc.html").as_uri())
    tab.get_by_text("Each model’s call").first.click()
    assert tab.get_by_text("Our model: basophil, basophil").first.is_visible()
    assert fits(tab)
    assert violations(tab) == []
    tab.close()
