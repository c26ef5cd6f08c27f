from dataclasses import replace

import numpy as np
import pytest

from wbc_model.preparation.image_set import ImageSet
from wbc_model.scoring.alterations import ALTERATIONS, STRENGTHS, altered
from wbc_model.synthetic.cells import draw_cell


@pytest.fixture
def drawn() -> ImageSet:
    cells = [draw_cell("monocyte", np.random.default_rng(i), height=224, width=224, fill=0.6).pixels for i in range(4)]
    return ImageSet(np.array(cells), np.zeros(4, int), ids=tuple("abcd"), cells=("monocyte",))


def far(a: ImageSet, b: ImageSet) -> float:
    return float(np.abs(np.asarray(a.pixels, float) - np.asarray(b.pixels, float)).mean())


@pytest.mark.parametrize("name", ALTERATIONS)
def test_a_greater_strength_changes_more_and_shapes_stay(drawn: ImageSet, name: str):
    found = [altered(drawn, name, strength, seed=0) for strength in STRENGTHS]
    distances = [far(each, drawn) for each in found]
    assert 0.5 < distances[0] < distances[1] < distances[2] < 80
    for each in found:
        assert (each.pixels.shape, each.pixels.dtype, each.ids) == (drawn.pixels.shape, np.uint8, drawn.ids)


@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_image_is_altered_alike_in_whatever_company(drawn: ImageSet, name: str):
    whole = altered(drawn, name, 1, seed=0)
    alone = replace(drawn, pixels=drawn.pixels[2:3], labels=drawn.labels[2:3], ids=drawn.ids[2:3])
    assert np.array_equal(altered(alone, name, 1, seed=0).pixels[0], whole.pixels[2])


@pytest.mark.parametrize("name", ["noise", "light", "stain"])
def test_what_is_random_depends_on_the_seed_and_the_image(drawn: ImageSet, name: str):
    assert far(altered(drawn, name, 1, seed=1), altered(drawn, name, 1, seed=0)) > 0.5
    same = replace(drawn, pixels=np.repeat(drawn.pixels[:1], 4, axis=0))
    first, second, *_ = altered(same, name, 1, seed=0).pixels
    assert not np.array_equal(first, second)


def test_another_stain_leaves_white_white_and_colours_what_absorbs(drawn: ImageSet):
    white = replace(drawn, pixels=np.full_like(drawn.pixels, 255))
    assert (altered(white, "stain", 2, seed=0).pixels == 255).all()
    grey = replace(drawn, pixels=np.full_like(drawn.pixels, 100))
    assert np.ptp(altered(grey, "stain", 2, seed=0).pixels[0, 0, 0].astype(int)) > 10


def test_light_falls_in_one_direction_to_its_share(drawn: ImageSet):
    white = replace(drawn, pixels=np.full_like(drawn.pixels, 200))
    (lit, *_) = altered(white, "light", 2, seed=0).pixels
    assert (lit.min(), lit.max()) == (80, 200)
