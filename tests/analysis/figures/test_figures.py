import io
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.text import Annotation
from PIL import Image
from upath import UPath

from analysis.figures import architecture, catalogue, cost, curves, data, laboratory, matrices, pictures, style
from analysis.runs.manifests import read_manifests
from analysis.runs.reading import Reading, Run
from analysis.tables.choose import tables_under
from analysis.tables.fill import fill
from search_spaces.paper import PROPOSED, vary
from search_spaces.rehearsal import REHEARSAL
from wbc_model.choices import CELLS
from wbc_model.datasets.dataset import by_name
from wbc_model.models import TwoBranch
from wbc_model.networks.build import build
from wbc_model.preparation.manifest import Entry, fingerprint_of, write_manifest
from wbc_model.training.gradcam import overlay

ROOT = Path(__file__).parents[3]


def curve(*accuracies: float) -> list[dict[str, float]]:
    return [{"epoch": float(i), "train_accuracy": a, "validation_accuracy": a / 2} for i, a in enumerate(accuracies)]


def tables(records=(), overrides=None):
    chosen, _ = tables_under(overrides or {})
    return {table.number: fill(table, records, overrides=overrides) for table in chosen}


def ends_at_100(axes: Axes) -> bool:
    """Whether a percent axis has no tick above 100, and no more room there than a line or a marker needs."""
    low, high = axes.get_ylim()
    return high - 100 < 0.025 * (high - low) and not any(100 < tick <= high for tick in axes.get_yticks())


@pytest.fixture
def styled():
    with style.styled():
        yield


@pytest.mark.usefixtures("styled")
def test_a_line_is_the_mean_over_seeds_and_its_band_their_range(make_record):
    runs = [replace(make_record(PROPOSED, seed), curves=curve(0.2, a)) for seed, a in enumerate((0.4, 0.8))]
    drawn = curves.figure_6(tables(runs))
    train, validation = drawn.figure.axes
    (line,), (band,) = train.lines, train.collections
    np.testing.assert_allclose(line.get_xydata(), [(1, 20), (2, 60)])
    (corners,) = (path.vertices for path in band.get_paths())
    assert {(x, round(y)) for x, y in corners} == {(1, 20), (2, 40), (2, 80)}
    assert validation.lines[0].get_ydata().tolist() == [10, 30]
    perfect = [replace(run, curves=curve(0.2, *[1] * 15)) for run in runs]
    assert all(map(ends_at_100, curves.figure_6(tables(perfect)).figure.axes))
    assert "mean over 2 seeds; bands: their range" in drawn.caption
    assert "Not shown, because finished runs are missing: Our model Raw." in drawn.caption
    assert drawn.trials == tuple(run.trial.id for run in runs)


@pytest.mark.usefixtures("styled")
def test_the_highest_validation_accuracy_is_told_of_each_model(make_record):
    run = replace(make_record(PROPOSED), curves=curve(0.5, 0.9, 0.7))
    drawn = curves.figure_9(tables([run]))
    assert [text.get_text() for text in drawn.figure.axes[0].get_legend().get_texts()] == ["Our model (THA 45.00)"]
    assert "Not shown, because finished runs are missing: ResNet Virtual, " in drawn.caption


@pytest.mark.usefixtures("styled")
def test_confusion_matrices_are_summed_over_seeds(make_record):
    scam = PROPOSED
    counts = [[10 * (i == j) for j in range(5)] for i in range(5)]
    counts[0] = [7, 3, 0, 0, 0]
    drawn = matrices.figure_7(tables([make_record(scam), make_record(scam, 1, counts=counts)]))
    (axes,) = drawn.figure.axes
    assert axes.get_title(loc="left") == "a  SCAM"
    assert [text.get_text() for text in axes.texts][:3] == ["17", "3", "0"]
    assert axes.images[0].get_array()[0].tolist() == [0.85, 0.15, 0, 0, 0]
    assert "summed over 2 seeds" in drawn.caption
    assert "Not shown, because finished runs are missing: CAM, CSAM." in drawn.caption


@pytest.mark.usefixtures("styled")
def test_class_distributions_are_those_of_the_data_that_the_runs_had(tmp_path, make_record):
    entries = [Entry(f"{i}", cell, "train", i, "", "") for i, cell in enumerate(CELLS)]
    entries += [Entry("x", "monocyte", "test", 0, "", ""), Entry("y", "monocyte", "", 0, "", "no cell")]
    (tmp_path / "data").mkdir()
    made_from = fingerprint_of(entries)
    write_manifest(tmp_path / "data" / f"ldwbc-{made_from}.csv", entries)
    write_manifest(tmp_path / "data" / "ldwbc-other.csv", [])
    manifests = read_manifests(
        [make_record(PROPOSED, provenance={"data": made_from})], UPath(tmp_path), usual=PROPOSED, problems=[]
    )
    (axes,) = data.figure_4(manifests).figure.axes
    assert [bar.get_height() for bar in axes.patches] == [1, 1, 1, 1, 1, 0, 1, 2, 3, 4]
    runs = [make_record(PROPOSED, provenance={"data": "lost"})]
    lost = read_manifests(runs, UPath(tmp_path), usual=PROPOSED, problems=[])
    with pytest.raises(style.CannotDraw, match="manifests of the runs' data, and there are none"):
        data.figure_4(lost)
    others = [make_record(vary(augmentation="none"), provenance={"data": "other"})]
    assert read_manifests(others, UPath(tmp_path), usual=PROPOSED, problems=[]) == {}


@pytest.mark.usefixtures("styled")
def test_cost_is_in_the_unit_that_fits(make_record):
    run = replace(make_record(PROPOSED), seconds=7200.0, provenance={"device": "H100"})
    drawn = cost.figure_cost(tables([run]))
    (axes,) = drawn.figure.axes
    assert axes.get_xlabel() == "Hours per training"
    assert axes.lines[0].get_xydata().tolist() == [[2, 100]]
    assert "on H100" in drawn.caption
    assert ends_at_100(axes)


@pytest.mark.usefixtures("styled")
def test_no_axis_of_a_perfect_model_passes_100_percent(make_record, save_predictions):
    run = make_record(PROPOSED)
    reading = Reading({run.trial.id: Run(run, {"predictions.npz": save_predictions(run)}.get, "here")})
    drawn = laboratory.figures(tables([run])["12"], reading)
    assert [each.number for each in drawn] == ["reliability-12", "roc-12", "pr-12"]
    assert all(ends_at_100(axes) for each in drawn for axes in each.figure.axes if axes.axison)


@pytest.mark.usefixtures("styled")
def test_a_cell_type_looks_alike_in_all_panels_whatever_classes_a_dataset_has(make_record, save_predictions):
    runs = [make_record(replace(PROPOSED, dataset=by_name(name))) for name in ("bccd", "ldwbc")]
    reading = Reading({run.trial.id: Run(run, {"predictions.npz": save_predictions(run)}.get, "") for run in runs})
    for drawn in laboratory.figures(tables(runs)["12"], reading)[1:]:
        lines = [{line.get_label(): line for line in axes.lines} for axes in drawn.figure.axes if axes.lines]
        assert [list(each) for each in lines] == [list(CELLS), list(CELLS[1:])]
        for name, line in lines[1].items():
            other = lines[0][name]
            assert (line.get_color(), line._dash_pattern) == (other.get_color(), other._dash_pattern), name
        (legend,) = drawn.figure.legends
        shown = dict(zip([text.get_text() for text in legend.get_texts()], legend.get_lines(), strict=True))
        assert {name: line.get_color() for name, line in shown.items()} == {
            name: line.get_color() for name, line in lines[0].items()
        }
        assert list(shown) == list(CELLS)


def test_the_architecture_is_that_of_the_module():
    config = vary(trunks="tiny", image_size=64)
    parts = architecture.parts_of(config)
    every = [part for branch in parts.branches.values() for part in branch] + parts.joined
    untrained = replace(config, model=TwoBranch(resnet="random", densenet="random"))
    assert sum(part.parameters for part in every) == sum(p.numel() for p in build(untrained, seed=0).parameters())
    assert [part.label for part in parts.joined[:3]] == [
        "Sum",
        "Spatial attention, 7 × 7",
        "Channel attention, 4 hidden",
    ]
    assert {branch[-1].shape for branch in parts.branches.values()} == {(64, 2, 2)}
    assert parts.joined[-1].shape == (5,)
    concatenated = architecture.parts_of(config.override({"model.fuse": "concat"}))
    assert (concatenated.joined[0].label, concatenated.joined[0].shape) == ("Concatenation", (128, 2, 2))


@pytest.mark.usefixtures("styled")
def test_the_names_of_the_branches_are_clear_of_arrows_and_boxes():
    figure = architecture.figure_3(tables(overrides=REHEARSAL)).figure
    figure.draw_without_rendering()
    (axes,) = figure.axes
    arrows = [axes.transData.transform(text.xy)[0] for text in axes.texts if isinstance(text, Annotation)]
    names = [text.get_window_extent() for text in axes.texts if text.get_text() in architecture.NAMES.values()]
    assert len(names) == 2
    for name in names:
        assert not any(name.x0 - 2 < x < name.x1 + 2 for x in arrows)
        assert not any(name.overlaps(box.get_window_extent()) for box in axes.patches)


@pytest.mark.slow
def test_the_architecture_of_the_paper_has_its_sizes():
    parts = architecture.parts_of(PROPOSED)
    resnet, densenet = parts.branches.values()
    assert [(p.label, p.shape) for p in resnet[-2:]] == [
        ("layer4: 3 × Bottleneck", (2048, 7, 7)),
        ("Convolution 1 × 1", (512, 7, 7)),
    ]
    assert [part.label for part in densenet if "block" in part.label] == [
        f"denseblock{i}: {n} × DenseLayer" for i, n in enumerate((6, 12, 24, 16), start=1)
    ]
    assert densenet[-2].shape == (1024, 7, 7)


@pytest.mark.usefixtures("styled")
def test_a_virtual_sample_is_the_weighted_mean_of_the_two():
    drawn = pictures.figure_5(None)
    first, second, mixed = (axes.images[0].get_array().astype(float) for axes in drawn.figure.axes)
    np.testing.assert_allclose(mixed, 0.6 * first + 0.4 * second, atol=0.51)
    assert drawn.figure.axes[2].get_xlabel() == "B 0  M 0  E 0  N 0.6  L 0.4"
    assert "Drawn cells, because photographs are missing" in drawn.caption


@pytest.mark.usefixtures("styled")
def test_real_images_are_shown_where_there_are_some(shared):
    real = shared / "data" / "bccd"
    assert pictures.figure_2(real).caption.startswith("BCCD, T")
    assert pictures.figure_5(real).caption.startswith("Images of BCCD.")


def study(make_record, overrides) -> tuple[dict, Reading]:
    """A whole study: runs of every row, with pictures."""
    chosen, _ = tables_under(overrides)
    configs = {row for table in chosen for row in table.rows.values()}
    records = [
        replace(make_record(config, seed, overrides=overrides), curves=curve(0.3, 0.5, 0.6))
        for config in configs
        for seed in (0, 1)
    ]
    picture = png()
    reading = Reading({r.trial.id: Run(r, {"gradcam.png": picture}.get, "here") for r in records})
    return {t.number: fill(t, records, overrides=overrides) for t in chosen}, reading


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((64, 96, 3), 200, np.uint8)).save(file, format="PNG")
    return file.getvalue()


@pytest.mark.usefixtures("styled")
def test_a_bar_has_the_colours_of_the_heat_maps(make_record):
    run = make_record(PROPOSED)
    reading = Reading({run.trial.id: Run(run, {"gradcam.png": png()}.get, "here")})
    *_, bar = pictures.figure_10(tables([run]), reading).figure.axes
    (mesh,) = (drawn for drawn in bar.collections if isinstance(drawn, QuadMesh))
    heat = np.linspace(0, 1, 256)
    on_black = overlay(np.zeros((1, 256, 3)), heat[None])[0]
    np.testing.assert_allclose(0.4 * 255 * mesh.cmap(heat)[:, :3], on_black, atol=3)
    assert bar.get_xlim() == mesh.get_clim() == (0, 1)
    assert bar.get_xlabel().startswith("Support for the predicted class")


def test_a_figure_that_cannot_be_drawn_is_told_and_its_old_files_go(tmp_path):
    drawn, impossible = catalogue.draw(tables(), Reading(), manifests={}, data=None)
    assert [figure.number for figure in drawn] == ["2", "3", "5"]
    assert impossible["7"] == "it shows rows of Table 5, which has no finished run"
    assert set(impossible) == {"4", "6", "7", "8", "9", "10", "cost"}
    (tmp_path / "figure_7.pdf").write_bytes(b"of another study")
    catalogue.save([], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_drawing_twice_gives_equal_files_and_a_rehearsal_says_so(tmp_path, make_record):
    filled, reading = study(make_record, REHEARSAL)
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        drawn, impossible = catalogue.draw(filled, reading, manifests={}, data=None)
        catalogue.save(drawn, folder)
        assert set(impossible) == {"4"}
    files = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert len(files) == 3 * 9
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    for number in ("2", "3", "5", "6", "7", "8", "9", "10", "cost"):
        tex = (tmp_path / "a" / f"figure_{number}.tex").read_text()
        assert r"\caption{REHEARSAL. " in tex
        assert ("Trials: none" in tex) == (number in ("2", "3", "5"))
        assert "say nothing about the paper" in tex


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_figures_are_vectors_and_compile(tmp_path, make_record):
    filled, reading = study(make_record, {})
    drawn, _ = catalogue.draw(filled, reading, manifests={}, data=None)
    catalogue.save(drawn, tmp_path)
    inputs = "\n".join(rf"\input{{figure_{figure.number}}}\clearpage" for figure in drawn)
    head = r"\documentclass{article}\usepackage[utf8]{inputenc}\usepackage{amssymb,graphicx}\begin{document}"
    (tmp_path / "all.tex").write_text(rf"{head}{inputs}\end{{document}}", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.findall(r"Overfull.*", (tmp_path / "all.log").read_text(errors="replace"))
    assert b"/FontFile2" in (tmp_path / "figure_6.pdf").read_bytes()
    assert b"/Subtype /Image" not in (tmp_path / "figure_6.pdf").read_bytes()
    assert "REHEARSAL" not in (tmp_path / "figure_6.tex").read_text()


def test_the_models_differ_in_grey_by_lightness_or_by_dashes_and_marker():
    grey = [np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722)) for colour in style.COLOURS[: len(style.MODEL_STYLE)]]
    looks = list(zip(np.round(grey, 1), map(str, style.DASHES), style.MARKERS, strict=False))
    assert len(set(style.MARKERS)) == len(style.MARKERS)
    assert len(set(looks)) == len(looks)


def test_a_notebooks_backend_and_a_users_matplotlibrc_change_nothing(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: true\nfont.size: 30\nfigure.facecolor: black\n")
    code = (
        "import hashlib, io\n"
        "from analysis.figures.style import canvas, styled\n"
        "with styled():\n"
        "    figure, file = canvas(1), io.BytesIO()\n"
        "    figure.subplots().set_title('50 % of $x')\n"
        "    figure.savefig(file)\n"
        "print(hashlib.sha256(file.getvalue()).hexdigest())\n"
    )
    odd = os.environ | {"MPLBACKEND": "module://a_notebook.backend", "MATPLOTLIBRC": str(tmp_path)}
    told = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        for env in (dict(os.environ), odd)
    ]
    assert [each.stderr for each in told] == ["", ""]
    assert told[0].stdout == told[1].stdout != ""


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.5, 2.8, [1.5, 2.0, 2.5]),
        (10.5, 44.5, [15, 30]),
        (0.9, 12, [1, 2, 5, 10]),
        (0.7, 90, [1, 3, 10, 30]),
        (0.05, 3000, [0.1, 10, 1000]),
    ],
)
def test_a_time_axis_has_few_round_ticks(low, high, expected):
    np.testing.assert_allclose(cost.ticks(low, high), expected)


@pytest.mark.usefixtures("styled")
def test_learning_curves_show_where_the_models_end(make_record):
    run = replace(make_record(PROPOSED), curves=curve(0.2, 0.5, *np.linspace(0.93, 0.99, 14)))
    drawn = curves.figure_8(tables([run]))
    assert drawn.figure.axes[0].get_ylim()[0] == 90
    assert ends_at_100(drawn.figure.axes[0])
    assert "Axes begin at 90 %" in drawn.caption
    short = curves.figure_8(tables([replace(run, curves=run.curves[:3])]))
    assert short.figure.axes[0].get_ylim()[0] < 20
    assert "Axes begin" not in short.caption


@pytest.mark.usefixtures("styled")
def test_a_legend_is_beside_the_curves(make_record):
    runs = [replace(make_record(PROPOSED), curves=curve(0.2, 0.5))]
    figure = curves.figure_6(tables(runs)).figure
    assert not any(axes.get_legend() for axes in figure.axes)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Virtual samples"]


@pytest.mark.usefixtures("styled")
def test_the_warning_of_a_rehearsal_fits_into_a_narrow_figure():
    figure = style.canvas(1, width=5.4)
    figure.subplots()
    style.warn_of_rehearsal(figure)
    figure.draw_without_rendering()
    box = figure.texts[0].get_window_extent()
    assert 0 < box.x0 < box.x1 < figure.bbox.width
