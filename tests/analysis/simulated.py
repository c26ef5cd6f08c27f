"""Trials that never trained: what they call the images of a made-up test set is drawn, and so is how good they are."""

from collections.abc import Sequence

import numpy as np

from search_spaces.table import Table
from study.plan import RunRecord, Trial
from wbc_model.config import TrialConfig
from wbc_model.scoring.metrics import ConfusionMatrix
from wbc_model.scoring.predictions import Predictions


class Simulation:
    """Trials on one test set; images differ in how hard they are, so that trials err on the same ones."""

    def __init__(self, sizes: Sequence[int], *, seed: int, copies: int = 1) -> None:
        """Args:
        sizes: images of each class.
        copies: how many images show one cell, and are as hard for a trial and called alike.
        """
        self.rng = np.random.default_rng(seed)
        self.truth = np.repeat(np.arange(len(sizes)), sizes)
        self.copies = copies
        self.ids = np.array([f"{i}.png" for i in range(len(self.truth))])
        self.photographs = {name: str(i // copies) for i, name in enumerate(self.ids)} if copies > 1 else {}
        self.hardness = self.rng.beta(0.4, 4, -(-len(self.truth) // copies))
        self.predictions: dict[str, Predictions] = {}

    def trial(self, config: TrialConfig, seed: int = 0, *, worse: float = 0.0) -> RunRecord:
        """A trial's record; its predictions go to `predictions`.

        Args:
            worse: added to every image's chance of being called wrong.
        """
        k = len(config.dataset.classes)
        wrong = self.rng.random(len(self.hardness)) < np.clip(self.hardness + worse, 0, 1)
        turn = np.where(wrong, self.rng.integers(1, k, len(self.hardness)), 0)
        called = (self.truth + np.repeat(turn, self.copies)[: len(self.truth)]) % k
        trial = Trial(config, seed)
        self.predictions[trial.id] = Predictions(
            classes=config.dataset.classes, ids=self.ids, truth=self.truth, probabilities=np.eye(k)[called]
        )
        matrix = ConfusionMatrix.from_predictions(config.dataset.classes, truth=self.truth, predicted=called)
        return RunRecord(
            trial=trial, best_epoch=0, validation=matrix, test=matrix, curves=[], seconds=1.0, provenance={}
        )

    def table(self, table: Table, *, seeds: Sequence[int] = (0,), spread: float = 0.0) -> list[RunRecord]:
        """A record of every row and seed, all rows equally good.

        Args:
            spread: standard deviation, over the seeds, of the chance of being called wrong.
        """
        return [
            self.trial(config, seed, worse=self.rng.normal(0, spread))
            for config in table.rows.values()
            for seed in seeds
        ]
