"""A worker's actor, which Ray Tune calls."""

import os
from collections.abc import Generator
from typing import Any

from ray import tune

from study.plan import Trial
from study.ray_backend.nodes import among, here
from study.ray_backend.resources import bundle
from study.settings import Settings
from study.tracking.variables import set_aside
from study.trial.attempt import OUTCOME, attempt

NODE = "node"
"""In the first row of an attempt, and only there: the id of the node that it runs on."""


class Runner(tune.Trainable):
    """Runs one attempt after another. A step is the beginning or an epoch; inputs and outputs are JSON."""

    def setup(self, config: dict[str, Any], environment: dict[str, str] | None = None) -> None:
        set_aside()  # what a node's shell had set when Ray was started there
        os.environ |= environment or {}
        self.rows = _rows(config)
        self.failed = False

    def step(self) -> dict[str, Any]:
        if self.failed:
            raise RuntimeError("already reported: the process of a failed trial is not reused")
        row = next(self.rows)
        self.failed = isinstance(row.get(OUTCOME), dict)
        return row | {"done": OUTCOME in row and not self.failed}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.cleanup()
        self.rows = _rows(new_config)
        return True

    def cleanup(self) -> None:
        self.rows.close()

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        needed = bundle(config["cpus"], config["gpus"])
        return tune.PlacementGroupFactory([needed], bundle_label_selector=[among(config["nodes"])])


def _rows(config: dict[str, Any]) -> Generator[dict[str, Any], None, None]:
    """The rows of an attempt, after one that tells where it is made."""
    yield {NODE: here()}
    yield from attempt(Trial.from_json(config["trial"]), Settings.from_json(config["settings"]))
