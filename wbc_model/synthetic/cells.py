"""Drawings in place of data, for rehearsals and tests: blood-smear cells of the five types, and another task to
pre-train tiny trunks on. Needs no torch.

Light passes through stained layers: a pixel is the light times exp(-absorbance), so overlaps darken as on a slide.
Lengths are in pixels unless said otherwise; an ellipse is a row (x, y, semi-axis, semi-axis, angle).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Range = tuple[float, float]
"""Drawn from uniformly."""
RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Drawing:
    """One picture of one white cell. The cell's mask includes the nucleus."""

    pixels: NDArray[np.uint8]  # (H, W, 3), RGB
    cell_mask: NDArray[np.bool_]  # (H, W)
    nucleus_mask: NDArray[np.bool_]  # (H, W)


@dataclass(frozen=True)
class Chain:
    """A nucleus: lobes along an arc of an angle `span`, in radians. Lengths are in radii of the cell."""

    lobes: tuple[int, int]
    lobe: Range
    arc: Range
    span: Range


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a cell type looks: a usual white cell has radius 1, colours are those of a layer of density 1."""

    radius: Range
    nucleus: Chain
    cytoplasm: RGB
    granules: RGB
    grain: float  # size of a granule, in radii of the cell
    cover: Range  # density of the granules; near 0 they are faint
    over: float  # share of the granules that lies over the nucleus too
    stain: RGB = (120, 72, 172)  # of the nucleus
    others: RGB = (234, 186, 176)  # cells round about


# fmt: off
LOOKS: Mapping[str, Look] = {
    "basophil": Look(radius=(0.8, 1.05), nucleus=Chain((2, 3), lobe=(0.34, 0.5), arc=(0.25, 0.42), span=(1.5, 3.2)),
        cytoplasm=(214, 200, 228), granules=(96, 80, 150), grain=0.075, cover=(0.05, 0.8), over=0.7),
    "monocyte": Look(radius=(0.85, 1.15), nucleus=Chain((3, 5), lobe=(0.34, 0.5), arc=(0.28, 0.42), span=(1.4, 3.6)),
        cytoplasm=(196, 204, 226), granules=(190, 170, 215), grain=0.05, cover=(0.0, 0.3), over=0.0),
    "eosinophil": Look(radius=(0.85, 1.05), nucleus=Chain((2, 3), lobe=(0.3, 0.42), arc=(0.4, 0.5), span=(2.0, 3.2)),
        cytoplasm=(234, 208, 214), granules=(222, 122, 100), grain=0.07, cover=(0.05, 0.7), over=0.1),
    "neutrophil": Look(radius=(0.85, 1.05), nucleus=Chain((2, 5), lobe=(0.24, 0.36), arc=(0.38, 0.52), span=(2.2, 4.6)),
        cytoplasm=(232, 212, 222), granules=(216, 160, 186), grain=0.055, cover=(0.05, 0.8), over=0.1),
    "lymphocyte": Look(radius=(0.6, 0.98), nucleus=Chain((1, 2), lobe=(0.6, 0.86), arc=(0.0, 0.2), span=(0.5, 2.0)),
        cytoplasm=(180, 200, 232), granules=(190, 170, 215), grain=0.05, cover=(0.0, 0.3), over=0.0),
}
# fmt: on
SHAPES = {
    "disc": Chain((1, 1), lobe=(0.5, 0.85), arc=(0.0, 0.3), span=(0, 1)),
    "lobes": Chain((2, 5), lobe=(0.22, 0.38), arc=(0.4, 0.5), span=(2.4, 4.8)),
    "crescent": Chain((5, 7), lobe=(0.3, 0.45), arc=(0.3, 0.5), span=(1.8, 3.6)),
}
# As close to each other as stains are: with red, green and blue too little carried over to cells.
GRAINS: Mapping[str, RGB] = {"red": (225, 110, 80), "violet": (200, 110, 190), "blue": (80, 90, 180)}
TEXTURES = tuple(f"{shape} in {hue}" for shape in SHAPES for hue in GRAINS)
"""Classes of the other task: a shape amid grains of a hue, all other colours at random."""


def draw_cell(cell: str, rng: np.random.Generator, *, height: int, width: int, fill: float = 0.8) -> Drawing:
    """A white cell near the middle among red cells; `fill` is a usual white cell's diameter over the height."""
    return _draw(LOOKS[cell], rng, height=height, width=width, fill=fill)


def draw_texture_task(n: int, *, side: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels (n, side, side, 3) in RGB and labels (n,), which take the indices of `TEXTURES` in turn."""
    labels = np.arange(n, dtype=np.int64) % len(TEXTURES)
    pixels = np.empty((n, side, side, 3), np.uint8)
    for i, label in enumerate(labels):
        rng = np.random.default_rng([seed, i])
        shape, hue = TEXTURES[label].split(" in ")
        body, others = rng.integers(170, 250, (2, 3)).tolist()
        stain = rng.integers((40, 30, 90), (190, 130, 210)).tolist()
        look = Look(
            radius=(0.7, 1.1), nucleus=SHAPES[shape], stain=stain, cytoplasm=body, others=others,
            granules=GRAINS[hue], grain=rng.uniform(0.05, 0.09), cover=(0.2, 1), over=0.2,
        )  # fmt: skip
        pixels[i] = _draw(look, rng, height=side, width=side, fill=0.8).pixels
    return pixels, labels


def _draw(look: Look, rng: np.random.Generator, *, height: int, width: int, fill: float) -> Drawing:
    unit = fill * height / 2
    radius = unit * rng.uniform(*look.radius)
    jitter = 0.5 * max(height / 2 - radius, 0.1 * height)
    at_x, at_y = np.array([width / 2, height / 2]) + rng.uniform(-jitter, jitter, 2)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = (x - at_x) / radius, (y - at_y) / radius
    # Slow waves bend the coordinates, so that nothing is quite round.
    a, b, c, d = rng.uniform((0, 0, 2, 2), (2 * np.pi, 2 * np.pi, 4, 4)).astype(np.float32)
    u, v = u + 0.07 * np.sin(c * v + a), v + 0.07 * np.sin(d * u + b)
    body = _distances(u, v, np.array([[0, 0, 1, rng.uniform(0.85, 1), rng.uniform(0, np.pi)]]))[0]
    nucleus = np.maximum(_distances(u, v, _lobes(rng, look.nucleus)).min(axis=0), body)
    # Edges are one pixel wide.
    inside, inner = np.clip(0.5 - radius * body, 0, 1), np.clip(0.5 - radius * nucleus, 0, 1)
    grains = np.clip(0.5 + _blotches(rng, body.shape, size=look.grain * radius), 0, 2) * rng.uniform(*look.cover)
    chromatin = rng.uniform(0.75, 1.1) * (1 + 0.12 * _blotches(rng, body.shape, size=0.09 * radius))
    layers = [
        (_red_cells(rng, x, y, radius=0.56 * unit) * (1 - 0.9 * inside), look.others),
        (inside * rng.uniform(0.6, 1.3), look.cytoplasm),
        (inside * grains * (1 - inner * (1 - look.over)), look.granules),
        (inner * chromatin, look.stain),
    ]
    return Drawing(_photograph(rng, layers), cell_mask=body <= 0, nucleus_mask=nucleus <= 0)


def _lobes(rng: np.random.Generator, chain: Chain) -> Floats:
    """Ellipses in radii of the cell: the lobes, and thin bridges between neighbours."""
    n, arc, start = rng.integers(*chain.lobes, endpoint=True), rng.uniform(*chain.arc), rng.uniform(0, 2 * np.pi)
    angles = start + np.linspace(0, rng.uniform(*chain.span), n)
    at = arc * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    at -= 0.6 * at.mean(axis=0)
    lobes = np.column_stack([at, rng.uniform(*chain.lobe) * rng.uniform(0.88, 1.12, (n, 2)), angles])
    x, y = np.diff(at, axis=0).T
    bridges = np.column_stack(
        [(at[1:] + at[:-1]) / 2, np.hypot(x, y) / 2 + 0.01, np.full(n - 1, 0.1), np.arctan2(y, x)]
    )
    return np.concatenate([lobes, bridges]).astype(np.float32)


def _red_cells(rng: np.random.Generator, x: Floats, y: Floats, *, radius: float) -> Floats:
    """(H, W) density of discs with a lighter centre, some cut by the border, some overlapping."""
    height, width = x.shape
    n = rng.poisson(0.6 * (height + radius) * (width + radius) / (np.pi * radius**2))
    at = rng.uniform((-radius / 2, -radius / 2), (width + radius / 2, height + radius / 2), (n, 2))
    size = radius * rng.uniform(0.8, 1.1, (n, 1)) * rng.uniform(0.9, 1, (n, 2))
    distances = _distances(x, y, np.column_stack([at, size, rng.uniform(0, np.pi, n)]))
    paler = rng.uniform(0.4, 0.9) * np.clip(-1.6 * distances / radius, 0, 1)
    return (np.clip(0.5 - distances, 0, 1) * (1 - paler)).sum(axis=0)


def _distances(x: Floats, y: Floats, ellipses: NDArray[np.floating]) -> Floats:
    """(n, H, W): how far each point is outside each of n ellipses; negative inside."""
    at_x, at_y, a, b, angle = ellipses.T.astype(np.float32)[:, :, None, None]
    x, y, cos, sin = x - at_x, y - at_y, np.cos(angle), np.sin(angle)
    return (np.hypot((x * cos + y * sin) / a, (y * cos - x * sin) / b) - 1) * np.minimum(a, b)


def _blotches(rng: np.random.Generator, shape: tuple[int, ...], *, size: float) -> Floats:
    """(H, W) noise of mean 0 and sd 1 with features of `size` pixels."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), max(size, 0.3))
    return (noise - noise.mean()) / noise.std()


def _photograph(rng: np.random.Generator, layers: Iterable[tuple[Floats, RGB]]) -> NDArray[np.uint8]:
    """Light through layers (density, colour at density 1), in one picture's own stain, light, focus and noise."""
    stain = rng.uniform(0.75, 1.25) * rng.uniform(0.75, 1.25, 3)
    absorbance = sum(density[..., None] * -np.log(np.array(colour) / 255) for density, colour in layers) * stain
    light = rng.uniform(205, 245) * rng.uniform((0.97, 0.93, 0.93), (1.03, 1.0, 1.0))
    scene = (light * np.exp(-absorbance)).astype(np.float32)
    scene = cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.3, 1.0) * max(scene.shape[0] / 64, 0.75))
    scene += rng.uniform(2, 9) * rng.standard_normal(scene.shape, dtype=np.float32)
    return np.clip(scene, 0, 255).astype(np.uint8)
