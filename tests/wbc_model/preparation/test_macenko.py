"""Stain normalisation of pictures whose stains and light are known."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.wbc_model.conftest import load
from wbc_model.choices import ImageSource
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.preparation.cache import prepared_with
from wbc_model.preparation.macenko import REFERENCE, normalised
from wbc_model.preparation.stains import STAINS, optical_density

Image = NDArray[np.uint8]
OTHERS = np.array([(0.75, 0.60, 0.05), (0.15, 0.55, 0.60)]), np.array([(0.45, 0.85, 0.30), (0.65, 0.55, 0.75)])
"""Two pairs of stains: of a nucleus, and of the rest."""
LIGHTS = (250, 240, 245), (190, 160, 150)


def amounts() -> NDArray[np.float64]:
    """Amounts of two stains (H, W, 2): a nucleus amid cytoplasm with a part of each stain, red cells, background."""
    y, x = np.mgrid[:96, :96] / 48 - 1
    far, angle = np.hypot(x, y), np.arctan2(y, x)
    nucleus = np.clip(1.1 - 2 * far, 0, None) * (1 + 0.1 * np.sin(9 * angle))
    red = 0.7 * (np.hypot(abs(x) - 0.9, abs(y) - 0.9) < 0.3)
    return np.stack([nucleus + 0.1 * (far < 0.8), red + 0.15 * (far < 0.8)], axis=2)


def stained(amounts: NDArray[np.float64], stains: NDArray[np.float64], light: tuple[int, int, int]) -> Image:
    return (np.array(light) * np.exp(-amounts @ stains)).round().clip(0, 255).astype(np.uint8)


def far(a: Image, b: Image) -> float:
    """Mean difference of two pictures, of 255."""
    return float(np.abs(a.astype(float) - b).mean())


def test_pictures_of_the_same_cell_in_other_stains_and_light_become_nearly_equal():
    one, two = (stained(amounts(), *look) for look in zip(OTHERS, LIGHTS, strict=True))
    assert far(one, two) > 60
    assert far(normalised(one), normalised(two)) < 1.5
    assert far(normalised(one), one) > 5


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.5])
def test_stains_and_the_strongest_amounts_become_those_of_the_reference(scale: float):
    found = normalised(stained(scale * amounts(), OTHERS[0], LIGHTS[0]))
    density = optical_density(found)
    unmixed = density @ np.linalg.pinv(STAINS)
    assert np.percentile(unmixed[np.linalg.norm(density, axis=2) > 0.35], 99, axis=0) == pytest.approx(
        REFERENCE, rel=0.05
    )
    assert np.abs(density - unmixed @ STAINS).max() < 0.02, "every colour is a mixture of the reference's"
    assert (found[48, 2] >= 253).all(), "background is white"


def test_a_normalised_picture_hardly_changes_again():
    once = normalised(stained(amounts(), OTHERS[1], LIGHTS[1]))
    assert far(normalised(once), once) < 2


@pytest.mark.parametrize("share", [0.7, 1, 3])
@pytest.mark.parametrize("stains", OTHERS)
def test_the_nuclear_stain_is_the_one_that_lets_more_blue_pass(share: float, stains: NDArray[np.float64]):
    found = normalised(stained(amounts() * (1, share), stains, LIGHTS[0]))
    nucleus, red_cell = found[48, 48].astype(int), found[3, 3].astype(int)
    assert nucleus[2] > nucleus[0] > nucleus[1]
    assert red_cell[0] > red_cell[2] > red_cell[1]


def test_a_black_border_as_of_rotated_copies_is_no_stain():
    whole = stained(amounts(), OTHERS[0], LIGHTS[0])
    cut = whole.copy()
    cut[:12] = 0
    assert far(normalised(cut)[18:], normalised(whole)[18:]) < 2


@pytest.mark.parametrize("rgb", [
    np.full((64, 64, 3), 255), np.zeros((64, 64, 3)), np.full((64, 64, 3), (200, 30, 90)),
    np.random.default_rng(0).normal(200, 3, (64, 64, 3)),
    stained(amounts() * (1, 0), OTHERS[0], LIGHTS[0]),
    stained(amounts() * 0.05, OTHERS[0], LIGHTS[0]),
], ids=["white", "black", "one colour", "noise", "one stain", "faint"])  # fmt: skip
def test_a_picture_with_hardly_any_stain_or_only_one_stays_as_it_is(rgb: np.ndarray):
    rgb = rgb.astype(np.uint8)
    assert np.array_equal(normalised(rgb), rgb)


def test_prepared_pictures_are_normalised_in_every_set_and_are_the_same_images(drawn: Path, tmp_path: Path):
    raw, found = (
        load(drawn, into=tmp_path, dataset=LISC, images=ImageSource.DRAWN, macenko=macenko) for macenko in (False, True)
    )
    assert prepared_with(raw.fingerprint, LISC, image_size=32, cache=tmp_path).folder == raw.folder
    assert found.folder != raw.folder
    assert found.manifest == raw.manifest
    assert found.fingerprint == raw.fingerprint
    for name, images in found.sets.items():
        ours = np.stack([normalised(np.asarray(rgb)) for rgb in raw.sets[name].pixels])
        assert np.array_equal(images.pixels, ours)
        assert not np.array_equal(images.pixels, raw.sets[name].pixels)
