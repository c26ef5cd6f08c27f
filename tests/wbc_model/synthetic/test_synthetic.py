"""Drawn cells: what a picture holds, where files lie, and that a seed says everything."""

import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from search_spaces.paper import DATASETS
from wbc_model.choices import CELLS, ImageSource
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.dataset import DataError, Dataset
from wbc_model.datasets.drawn import drawn_as
from wbc_model.datasets.find import DRAWN_MARK, find, kind_of
from wbc_model.datasets.ldwbc import DATASET as LDWBC
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.datasets.raabin import DATASET as RAABIN
from wbc_model.synthetic.cells import TEXTURES, Drawing, draw_cell, draw_texture_task
from wbc_model.synthetic.folders import counts, write

SMALL = {"share": 0.002, "side": 32}
ALL = {"datasets": DATASETS} | SMALL


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four datasets, small."""
    root = tmp_path_factory.mktemp("drawn")
    write(root, **ALL)
    return root


def _draw(cell: str, seed: int, side: int = 48) -> Drawing:
    return draw_cell(cell, np.random.default_rng([seed, CELLS.index(cell)]), height=side, width=side)


def _files(root: Path) -> dict[str, bytes]:
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def _middle(mask: NDArray[np.bool_]) -> NDArray[np.floating]:
    return np.argwhere(mask).mean(axis=0)


@pytest.mark.slow
def test_same_seed_draws_the_same_bytes_and_another_seed_others(drawn: Path, tmp_path: Path) -> None:
    write(tmp_path / "again", **ALL)
    write(tmp_path / "other", **ALL, seed=1)
    first, other = _files(drawn), _files(tmp_path / "other")
    assert _files(tmp_path / "again") == first
    assert other.keys() == first.keys()
    assert not [name for name in first if name.endswith((".jpg", ".jpeg")) and first[name] == other[name]]


def test_no_two_images_are_the_same(drawn: Path) -> None:
    images = [sample.path.read_bytes() for dataset in DATASETS for sample in find(dataset, drawn)]
    assert len(set(images)) == len(images)


@pytest.mark.parametrize("dataset", DATASETS, ids=str)
def test_one_dataset_alone_has_the_same_files(dataset: Dataset, drawn: Path, tmp_path: Path) -> None:
    write(tmp_path, datasets=[dataset], **SMALL)
    alone, together = _files(tmp_path), _files(drawn)
    assert set(alone) > {DRAWN_MARK}
    assert alone.items() <= together.items()
    assert [sample.id for sample in find(dataset, tmp_path)] == [sample.id for sample in find(dataset, drawn)]


def test_a_larger_share_keeps_the_images_of_a_smaller_one(drawn: Path, tmp_path: Path) -> None:
    write(tmp_path, datasets=[LISC], share=0.02, side=32)
    small = {name: image for name, image in _files(drawn).items() if name.startswith("LISC")}
    assert small.items() < _files(tmp_path).items()


@pytest.mark.parametrize("dataset", DATASETS, ids=str)
def test_find_finds_what_was_counted(dataset: Dataset, drawn: Path) -> None:
    found = Counter((sample.part, sample.cell) for sample in find(dataset, drawn))
    wanted = counts(dataset, share=SMALL["share"])
    assert found == {(part, cell): number for part, numbers in wanted.items() for cell, number in numbers.items()}


@pytest.mark.parametrize(
    ("dataset", "width", "suffix"),
    [
        (LDWBC, 32, ".jpg"),
        (LISC, 40, ".bmp"),
        (BCCD, 43, ".jpeg"),
        (RAABIN, 32, ".jpg"),
    ],
)
def test_pictures_have_the_published_aspect_and_format(dataset: Dataset, width: int, suffix: str, drawn: Path) -> None:
    for sample in find(dataset, drawn):
        assert sample.path.suffix == suffix
        assert cv2.imread(str(sample.path)).shape == (32, width, 3)


NAMES = {
    LDWBC: r"(basophil|monocyte|eosinophil|neutrophil|lymphocyte)/\d+\.jpg",
    LISC: r"(Baso|eosi|lymp|mono|neut)/\d+\.bmp",
    BCCD: r"(TRAIN|TEST)/(EOSINOPHIL|LYMPHOCYTE|MONOCYTE|NEUTROPHIL)/_\d+_\d{1,4}\.jpeg",
    RAABIN: r"(Train|TestA)/(Basophil|Eosinophil|Lymphocyte|Monocyte|Neutrophil)/95-8-\d+-1_\d+_\d+\.jpg",
}


@pytest.mark.parametrize("dataset", DATASETS, ids=str)
def test_files_are_named_as_published(dataset: Dataset, drawn: Path) -> None:
    assert not [sample.id for sample in find(dataset, drawn) if not re.fullmatch(NAMES[dataset], sample.id)]


@pytest.mark.parametrize("dataset", DATASETS, ids=str)
def test_no_image_of_the_whole_share_overwrites_another(dataset: Dataset) -> None:
    numbers = [(part, cell, n) for part, cells in counts(dataset, share=1).items() for cell, n in cells.items()]
    paths = {drawn_as(dataset).path(part, cell, i) for part, cell, n in numbers for i in range(n)}
    assert len(paths) == sum(n for _, _, n in numbers)


def test_files_hold_rgb_as_drawn(drawn: Path) -> None:
    rng = np.random.default_rng([0, *b"lisc/all/eosinophil/0"])
    pixels = draw_cell("eosinophil", rng, height=32, width=40, fill=0.65).pixels
    stored = cv2.imread(str(drawn / "LISC Database/Main Dataset/eosi/1.bmp"))
    assert np.array_equal(stored[..., ::-1], pixels)


@pytest.mark.parametrize("dataset", DATASETS, ids=str)
def test_the_whole_share_is_table_1(dataset: Dataset) -> None:
    assert counts(dataset, share=1) == dataset.published


def test_a_small_share_is_rounded_and_has_a_floor() -> None:
    assert counts(LDWBC, share=0.01)["all"] == dict(zip(CELLS, (60, 60, 60, 105, 104), strict=True))
    assert counts(RAABIN, share=0.01)["test"] == dict(zip(CELLS, (20, 20, 20, 27, 20), strict=True))
    assert counts(LISC, share=0.001)["all"] == dict(zip(CELLS, (53, 48, 39, 50, 52), strict=True))
    assert counts(LISC, share=0.1) == LISC.published


@pytest.mark.parametrize("share", [0, -0.5, 1.5])
def test_a_share_that_is_no_part_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        counts(LISC, share=share)


@pytest.mark.parametrize(("side", "cut"), [(32, 1), pytest.param(220, 2, marks=pytest.mark.slow)])
def test_lisc_masks_fit_their_picture_but_for_the_margin(side: int, cut: int, tmp_path: Path) -> None:
    write(tmp_path, datasets=[LISC], share=0.0001, side=side)
    levels = set()
    for sample in find(LISC, tmp_path):
        folder, name = sample.path.parent.name, sample.path.stem
        masks = tmp_path / "LISC Database/Ground Truth Segmentation" / folder / "areaforexpert1"
        mask = cv2.imread(str(masks / f"{name}_expert.bmp"), cv2.IMREAD_UNCHANGED)
        pixels = cv2.imread(str(sample.path))[cut:-cut, cut:-cut]
        assert (mask.ndim, mask.dtype, mask.shape) == (2, np.uint8, pixels.shape[:2])
        _, cytoplasm, nucleus = np.unique(mask)
        assert pixels[mask == nucleus].mean() + 15 < pixels[mask == 0].mean()
        levels.add((sample.cell, cytoplasm, nucleus))
    assert len(levels) == len({nucleus for _, _, nucleus in levels}) == len(CELLS)


def test_a_mask_lies_where_the_cell_is(tmp_path: Path) -> None:
    write(tmp_path, datasets=[LISC], share=0.0001, side=64)
    mask = tmp_path / "LISC Database/Ground Truth Segmentation/lymp/areaforexpert1/1_expert.bmp"
    rng = np.random.default_rng([0, *b"lisc/all/lymphocyte/0"])
    drawing = draw_cell("lymphocyte", rng, height=64, width=80, fill=0.65)
    levels = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(levels > 0, drawing.cell_mask[1:-1, 1:-1])
    assert np.array_equal(levels == levels.max(), drawing.nucleus_mask[1:-1, 1:-1])


def test_the_folder_is_marked_before_anything_is_drawn(drawn: Path, tmp_path: Path) -> None:
    assert kind_of(drawn) is ImageSource.DRAWN
    assert "not blood" in (drawn / DRAWN_MARK).read_text()
    (tmp_path / "LDWBC").write_text("in the way of the class folders")
    with pytest.raises(DataError, match="holds something else"):
        write(tmp_path, **ALL)
    (tmp_path / "LDWBC").unlink()
    write(tmp_path, datasets=[], **SMALL)
    (tmp_path / "LDWBC").write_text("in the way of the class folders")
    with pytest.raises(NotADirectoryError):
        write(tmp_path, **ALL)
    assert kind_of(tmp_path) is ImageSource.DRAWN


def test_drawings_of_another_kind_are_not_mixed(drawn: Path) -> None:
    before = _files(drawn)
    with pytest.raises(DataError, match="share 0.002, side 32, seed 5"):
        write(drawn, **ALL, seed=5)
    assert _files(drawn) == before


@pytest.mark.parametrize("cell", CELLS)
def test_a_drawing_has_one_cell_near_the_middle_with_a_dark_nucleus(cell: str) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        drawing = draw_cell(cell, rng, height=60, width=80)
        assert (drawing.pixels.shape, drawing.pixels.dtype) == ((60, 80, 3), np.uint8)
        assert drawing.cell_mask.shape == drawing.nucleus_mask.shape == (60, 80)
        assert drawing.cell_mask.dtype == drawing.nucleus_mask.dtype == np.bool_
        assert not (drawing.nucleus_mask & ~drawing.cell_mask).any()
        assert 0.1 < drawing.nucleus_mask.sum() / drawing.cell_mask.sum() < 0.95
        assert np.abs(_middle(drawing.cell_mask) - (30, 40)).max() < 12
        background = drawing.pixels[~drawing.cell_mask].mean()
        assert drawing.pixels[drawing.nucleus_mask].mean() + 15 < background


def _features(drawing: Drawing) -> list[float]:
    """Size of the cell, share of the nucleus, and the colour of the cytoplasm."""
    cell, nucleus = drawing.cell_mask, drawing.nucleus_mask
    red, green, blue = drawing.pixels[cell & ~nucleus].mean(axis=0)
    return [cell.mean() ** 0.5, nucleus.sum() / cell.sum(), np.log(red / green), np.log(blue / green)]


def test_types_differ_but_not_trivially() -> None:
    features = np.array([[_features(_draw(cell, seed)) for seed in range(60)] for cell in CELLS])  # (5, 60, 4)
    features = (features - features.mean(axis=(0, 1))) / features.std(axis=(0, 1))
    centres, test = features[:, :30].mean(axis=1), features[:, 30:]
    nearest = np.linalg.norm(test[:, :, None] - centres, axis=-1).argmin(axis=-1)  # (5, 30)
    recall = (nearest == np.arange(5)[:, None]).mean(axis=1)
    assert 0.5 < recall.mean() < 0.95
    assert recall.min() > 0.25


def test_raabin_names_a_cell_once_in_both_parts(drawn: Path) -> None:
    names = [sample.path.name for sample in find(RAABIN, drawn)]
    assert len(set(names)) == len(names)


def test_texture_task_is_balanced_and_deterministic() -> None:
    assert len(TEXTURES) == 9
    n = 4 * len(TEXTURES)
    pixels, labels = draw_texture_task(n, side=24, seed=3)
    assert (pixels.shape, pixels.dtype, labels.dtype) == ((n, 24, 24, 3), np.uint8, np.int64)
    assert np.bincount(labels).tolist() == [4] * len(TEXTURES)
    again, more = draw_texture_task(n, side=24, seed=3)[0], draw_texture_task(n + 5, side=24, seed=3)[0]
    assert np.array_equal(again, pixels)
    assert np.array_equal(more[:n], pixels)
    assert not np.array_equal(draw_texture_task(n, side=24, seed=4)[0], pixels)


def test_textures_show_the_hue_of_their_name() -> None:
    pixels, labels = draw_texture_task(20 * len(TEXTURES), side=24, seed=0)
    red, _, blue = pixels[:, 6:18, 6:18].mean(axis=(1, 2)).T
    warmth = [
        (red - blue)[[TEXTURES[label].endswith(hue) for label in labels]].mean() for hue in ("red", "violet", "blue")
    ]
    assert warmth[0] > warmth[1] + 5 > warmth[2] + 10
