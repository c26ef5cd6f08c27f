"""Find from pixels alone which photograph an image is a copy of, and which photographs show one cell. Needs no torch.

BCCD's 12,444 images are rotated, sheared, shifted, scaled and mirrored copies of 348 photographs, black outside the
photograph. Dust on the camera is in the same place in all photographs, so up to about twenty keypoints of a wrong
photograph agree as well: keypoints only propose an affine map from a photograph to an image, and the pixels decide.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating]

SIZE = (320, 240)
"""Width and height at which everything is compared: those of the images, and half of those of the photographs."""
BLACK = 40
"""Pixels whose three channels are all darker are outside the photograph; the darkest nuclei have far more blue."""

KEYPOINTS = 300
"""How many keypoints of a view are compared, the strongest first."""
INDEXED, VOTERS = 150, 64
"""How many of the strongest keypoints of a photograph are in the index, and how many of an image vote for them."""
AXES = 32
"""Principal axes of the descriptors that voting uses: they hold 92 % of the variance, in a third of the time."""
CANDIDATES, NEIGHBOURS = 4, 12
"""How many views are fitted to an image, and to another photograph, those with most votes first."""
REACH = 2.5
"""A keypoint agrees with an affine map if it lies within this distance, in pixels, of where the map puts it."""

# Thresholds measured on BCCD, for `PhotoMatcher.match` and `PhotoMatcher.same_cell`.
COPY_CORRELATION, COPY_OVERLAP, COPY_INLIERS = 0.9, 0.85, 12
CELL_CORRELATION, CELL_INLIERS = 0.85, 8
NUCLEUS = 1000
"""Area in pixels of one nucleus that two photographs must both show: below the smallest nucleus, above a platelet."""


@dataclass(frozen=True)
class Match:
    """A photograph that an image certainly shows."""

    photograph: str
    inliers: int
    """Keypoints that agree on one affine map from the photograph to the image."""
    runner_up: int
    """The same for the photograph that fits second best."""


@dataclass(frozen=True)
class _View:
    """An image, a photograph or its mirror image, with its keypoints in order of their strength."""

    pixels: Pixels  # (240, 320, 3), RGB
    covered: Pixels  # (240, 320), 255 where there is a picture and 0 where there is fill
    points: Floats  # (n, 2), x and y
    descriptors: Floats  # (n, 128) of length 1


@dataclass(frozen=True)
class _Fit:
    """A photograph mapped onto a view. Masks and pixels are (240, 320), in the view's coordinates."""

    inliers: int
    photograph: Pixels
    view: Pixels
    both: NDArray[np.bool_]
    """Pixels where both have a picture."""
    overlap: float
    """The area that both cover over the area that either covers."""

    @cached_property
    def correlation(self) -> float:
        """Pearson's, of grey values where both have a picture; smoothed by a pixel, because copies are interpolated."""
        x, y = (cv2.GaussianBlur(_grey(each), (0, 0), 1)[self.both] for each in (self.photograph, self.view))
        x, y = x - x.mean(), y - y.mean()
        return float(x @ y / max(np.sqrt((x @ x) * (y @ y)), 1.0))

    @property
    def likeness(self) -> float:
        return self.correlation * self.overlap

    @property
    def nucleus(self) -> int:
        """Area in pixels of the largest connected piece of nucleus that both show."""
        shared = _violet(self.photograph) & _violet(self.view) & self.both
        areas = cv2.connectedComponentsWithStats(shared.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
        return int(areas.max(initial=0))


class PhotoMatcher:
    """Recognises copies of photographs, also mirrored ones: SIFT's descriptors do not match those of a mirror image."""

    def __init__(self, photographs: Mapping[str, Pixels]) -> None:
        """Index RGB photographs (H, W, 3), given by their names; about 60 ms each."""
        self._names = tuple(photographs)
        self._views = [_view(side) for pixels in photographs.values() for side in (pixels, pixels[:, ::-1])]
        descriptors = [view.descriptors[:INDEXED] for view in self._views]
        self._owners = np.repeat(np.arange(len(descriptors)), [len(each) for each in descriptors])
        indexed = np.concatenate(descriptors)
        self._mean = indexed.mean(axis=0)
        # eigh sorts by growing variance.
        self._axes = np.linalg.eigh(np.cov(indexed.T))[1][:, -AXES:].astype(np.float32)
        self._index = np.ascontiguousarray(self._project(indexed).T)

    def match(self, image: Pixels) -> Match | None:
        """The photograph that an RGB image (H, W, 3) is certainly a copy of, or None. Thread-safe."""
        view = _view(image)
        fits: dict[str, _Fit] = {}
        for candidate in self._candidates(view, CANDIDATES):
            name, fit = self._names[candidate // 2], _lay(self._views[candidate], view)
            if fit and (name not in fits or fit.likeness > fits[name].likeness):
                fits[name] = fit
        ranked = sorted(fits, key=lambda name: fits[name].likeness, reverse=True)
        inliers = [fits[name].inliers for name in ranked] + [0]
        if not ranked or not _is_copy(fits[ranked[0]]):
            return None
        return Match(ranked[0], inliers[0], max(inliers[1:]))

    def same_cell(self) -> list[tuple[str, str]]:
        """Pairs of photographs that show one physical white cell, in the order of the photographs."""
        pairs = set()
        for i in range(len(self._names)):
            for candidate in self._candidates(self._views[2 * i], NEIGHBOURS, besides=i):
                j, mirrored = divmod(candidate, 2)
                fit = None if mirrored else _lay(self._views[candidate], self._views[2 * i])
                if fit and _shares_cell(fit):
                    pairs.add((min(i, j), max(i, j)))
        return [(self._names[i], self._names[j]) for i, j in sorted(pairs)]

    def _project(self, descriptors: Floats) -> Floats:
        projected = (descriptors - self._mean) @ self._axes
        return projected / np.linalg.norm(projected, axis=1, keepdims=True)

    def _candidates(self, view: _View, number: int, *, besides: int | None = None) -> Iterator[int]:
        """Indices of at most `number` views: those with the nearest descriptor to most keypoints, without one's own."""
        near = self._project(view.descriptors[:VOTERS]) @ self._index  # (voters, indexed)
        if besides is not None:
            near[:, self._owners // 2 == besides] = -1
        votes = np.bincount(self._owners[near.argmax(axis=1)], minlength=len(self._views))
        ranked = np.argsort(-votes, kind="stable")[:number]
        yield from (int(view) for view in ranked if votes[view])


def _view(pixels: Pixels) -> _View:
    pixels = cv2.resize(np.ascontiguousarray(pixels), SIZE, interpolation=cv2.INTER_AREA).astype(np.uint8)
    covered = 255 * (cv2.medianBlur(pixels.max(axis=2), 5) >= BLACK).astype(np.uint8)
    inside = cv2.erode(covered, np.ones((9, 9), np.uint8))  # the photograph's edge has keypoints of its own
    sift = cv2.SIFT.create(nfeatures=KEYPOINTS, contrastThreshold=0.01)
    keypoints, descriptors = sift.detectAndCompute(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), inside)
    if descriptors is None:
        return _View(pixels, covered, np.empty((0, 2), np.float32), np.empty((0, 128), np.float32))
    points = np.array([keypoint.pt for keypoint in keypoints], np.float32)
    strongest = np.argsort([-keypoint.response for keypoint in keypoints], kind="stable")
    # Roots of shares: then a dot product is the Bhattacharyya coefficient (Arandjelovic and Zisserman 2012).
    roots = np.sqrt(descriptors / descriptors.sum(axis=1, keepdims=True))
    return _View(pixels, covered, points[strongest], roots[strongest])


def _lay(photograph: _View, view: _View) -> _Fit | None:
    """The photograph mapped onto the view by the affine map that most keypoints agree on; None if too few do."""
    alike = photograph.descriptors @ view.descriptors.T
    if min(alike.shape) == 0:
        return None
    j = alike.argmax(axis=1)
    mutual = alike.argmax(axis=0)[j] == np.arange(len(j))
    if mutual.sum() < CELL_INLIERS:
        return None
    there, here = photograph.points[mutual], view.points[j[mutual]]
    affine, agree = cv2.estimateAffine2D(there, here, ransacReprojThreshold=REACH)  # its seed is fixed
    if affine is None:
        return None
    covered = cv2.warpAffine(photograph.covered, affine, SIZE, flags=cv2.INTER_NEAREST) > 0
    both, either = covered & (view.covered > 0), covered | (view.covered > 0)
    if not both.any():
        return None
    pixels = cv2.warpAffine(photograph.pixels, affine, SIZE).astype(np.uint8)
    return _Fit(int(agree.sum()), pixels, view.pixels, both, float(both.sum() / either.sum()))


def _is_copy(fit: _Fit) -> bool:
    return fit.correlation >= COPY_CORRELATION and fit.overlap >= COPY_OVERLAP and fit.inliers >= COPY_INLIERS


def _shares_cell(fit: _Fit) -> bool:
    return fit.correlation >= CELL_CORRELATION and fit.inliers >= CELL_INLIERS and fit.nucleus >= NUCLEUS


def _grey(pixels: Pixels) -> Floats:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _violet(pixels: Pixels) -> NDArray[np.bool_]:
    """A mask (H, W) of the violet pixels of a picture: nuclei and platelets."""
    red, green, blue = np.moveaxis(cv2.GaussianBlur(pixels, (0, 0), 1.5).astype(np.int16), 2, 0)
    return (blue - green > 45) & (blue - red > 10)
