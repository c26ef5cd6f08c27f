"""Worlds whose truth is known: test sets of the article's sizes, and networks that err on them at chosen rates.

An image is hard for all networks, for those of one row, or for one network: a network calls it wrong where the sum of
three normal deviates exceeds the quantile of its error rate (a one-factor probit model). Networks of one row differ by
their seed in two ways: in the images that they err on, and in their true accuracy, by a given standard deviation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import norm

from analysis.published.audit import sets_tested
from analysis.published.numbers import printed
from study.plan import RunRecord, Trial
from wbc_model.config import TrialConfig
from wbc_model.datasets.bccd import DATASET as BCCD
from wbc_model.datasets.dataset import Dataset
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.scoring.predictions import Predictions

SHARED, OF_ROW = 0.6, 0.1
"""Shares of an image's hardness that all networks, and those of one row, have in common."""
COPIES = 35
"""Test images of one photographed cell on BCCD."""


@cache
def sizes_of(dataset: Dataset) -> tuple[int, ...]:
    """Test images of each class in the article, in the order of the dataset's classes."""
    sizes = sets_tested(printed())[dataset]
    return tuple(sizes.values())


@dataclass(frozen=True, eq=False)
class World:
    """A test set and the random numbers of one repetition."""

    truth: np.ndarray
    """True classes (N,)."""
    cells: np.ndarray
    """Index of the photographed cell of each image (N,)."""
    hardness: np.ndarray
    """Standard normal, of each photographed cell."""
    rng: np.random.Generator
    name: str

    @classmethod
    def of(cls, dataset: Dataset, *, seed: int, sizes: Sequence[int] | None = None) -> "World":
        """The test set of a dataset (images of BCCD are copies of 71 cells), or one of other sizes."""
        rng = np.random.default_rng(seed)
        truth = np.repeat(np.arange(len(dataset.classes)), sizes or sizes_of(dataset))
        place = np.concatenate([np.arange(n) for n in np.bincount(truth)])
        copies = COPIES if dataset == BCCD else 1
        cells = np.unique(np.stack([truth, place // copies]), axis=1, return_inverse=True)[1].ravel()
        return cls(truth, cells, rng.normal(size=cells.max() + 1), rng, dataset.name)

    @property
    def photographs(self) -> dict[str, str]:
        """By image id, its photographed cell; empty if every image has its own."""
        names = map(str, self.cells)
        return dict(zip(self.ids, names, strict=True)) if len(self.hardness) < len(self.truth) else {}

    @property
    def ids(self) -> np.ndarray:
        return np.array([f"{self.name}/{i}.png" for i in range(len(self.truth))])

    def called(self, errors: np.ndarray, *, seeds: int, sd: float | np.ndarray) -> np.ndarray:
        """Predicted classes (rows, seeds, N) of networks whose errors are independent but for the images' hardness.

        Args:
            errors: true error rate of each row on each class (rows, classes).
            sd: standard deviation of the true accuracy over seeds, in [0, 1]; of all rows, or of each (rows,).
        """
        rows, k = errors.shape
        n, total = len(self.hardness), errors[:, self.truth].mean(1)
        shift = self.rng.normal(size=(rows, seeds)) * np.reshape(sd, (-1, 1))
        factor = np.maximum(1 + shift / total[:, None], 0.02)
        rates = np.clip(errors[:, None] * factor[..., None], 1e-9, 0.999)
        own = self.rng.normal(size=(rows, 1, n)) * OF_ROW**0.5
        noise = self.rng.normal(size=(rows, seeds, n)) * (1 - SHARED - OF_ROW) ** 0.5
        latent = self.hardness * SHARED**0.5 + own + noise
        kind = self.truth[np.unique(self.cells, return_index=True)[1]]
        wrong = latent > norm.isf(rates)[..., kind]
        turn = np.where(wrong, self.rng.integers(1, k, wrong.shape), 0)
        return (self.truth + turn[..., self.cells]) % k

    def records(self, called: Mapping[TrialConfig, np.ndarray]) -> tuple[list[RunRecord], dict[str, Predictions]]:
        """Records of trials, and their predictions by trial id, from predicted classes (seeds, N) by config."""
        found, kept, ids = [], {}, self.ids
        for config, of_seeds in called.items():
            classes = config.dataset.classes
            for seed, one in enumerate(of_seeds):
                trial = Trial(config, seed)
                kept[trial.id] = Predictions(
                    classes=classes, ids=ids, truth=self.truth, probabilities=np.eye(len(classes))[one]
                )
                test = kept[trial.id].matrix
                found.append(_record(trial, test))
        return found, kept


def _record(trial: Trial, test: ConfusionMatrix) -> RunRecord:
    return RunRecord(trial=trial, best_epoch=0, validation=test, test=test, curves=[], seconds=1.0, provenance={})


@cache
def article_errors() -> dict[TrialConfig, tuple[float, ...]]:
    """By config of Tables 4-12, its error rate on each class as the article prints it.

    Where the recalls are not printed, they are the proposed model's errors times the ratio of the two rows' 100 - OA.
    """
    recalls = {
        row.config: tuple(1 - float(x) / 100 for x in row.numbers.values())
        for row in printed()
        if "OA" not in row.numbers
    }
    ours = next(row for row in printed() if row.config == TrialConfig() and "OA" in row.numbers)
    left = {row.config: 100 - float(row.numbers["OA"]) for row in printed() if "OA" in row.numbers}
    scale = {config: miss / left[ours.config] for config, miss in left.items()}
    known = recalls[ours.config]
    return recalls | {
        config: tuple(min(0.95, e * scale[config]) for e in known) for config in left if config not in recalls
    }


def equal(n: int) -> np.ndarray:
    """Error rates (n, classes) of rows as good as the proposed model, which errs on every class."""
    return np.tile(np.maximum(article_errors()[TrialConfig()], 0.005), (n, 1))
