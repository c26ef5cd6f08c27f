"""Trials, the plan of a study, and the record of a finished trial. No torch, no ray."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from search_spaces.table import Table, configs
from wbc_model.config import TrialConfig
from wbc_model.errors import Damaged, validating
from wbc_model.files import unsealed
from wbc_model.scoring.metrics import ConfusionMatrix


@dataclass(frozen=True)
class Trial:
    """One config with one seed. Its identity does not depend on the tables that it was planned for."""

    config: TrialConfig
    seed: int
    tables: tuple[str, ...] = field(default=(), compare=False)
    """Numbers of the tables it fills."""
    overrides: dict[str, Any] = field(default_factory=dict, compare=False)
    """Flat knobs that were set for the whole study (`--set`, `--rehearse`)."""

    @cached_property
    def id(self) -> str:
        """The name of its folder in storage and the id of its W&B run."""
        return f"{self.config.id}-s{self.seed}"

    @property
    def ids_before(self) -> set[str]:
        """Its ids under earlier protocols."""
        return {f"{config_id}-s{self.seed}" for config_id in self.config.ids_before}

    @property
    def name(self) -> str:
        """How it differs from the study's settings: `dataset=bccd model.network=jiang`; `proposed` if in nothing."""
        own = {knob: value for knob, value in self.config.knobs().items() if knob not in self.overrides}
        return " ".join(f"{knob}={value}" for knob, value in own.items()) or "proposed"

    @property
    def proposed(self) -> bool:
        """Whether it is the study's proposed model, on whatever dataset."""
        return {"dataset", "test_on", *self.overrides} >= set(self.config.knobs())

    def to_json(self) -> dict[str, Any]:
        return _TRIAL.dump_python(self, mode="json")

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Trial":
        return _TRIAL.validate_python(value)


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The record of a finished trial, written once, after all its other files."""

    trial: Trial
    best_epoch: int
    """The epoch (from 0) whose weights were tested: highest validation accuracy, earliest on ties."""
    validation: ConfusionMatrix
    test: ConfusionMatrix
    curves: list[dict[str, float]]
    """One row per epoch: epoch, losses, accuracies, seconds."""
    seconds: float
    """Duration of training and evaluation, over all attempts."""
    provenance: dict[str, Any]
    """Code, packages, data, weights and machine."""
    elsewhere: dict[str, ConfusionMatrix] = field(default_factory=dict)
    """On the test sets of other datasets (`test_on`), by name: of the images of classes that the model knows."""
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the files beside it, by name; empty in records of older versions."""

    @property
    def tests(self) -> dict[str, ConfusionMatrix]:
        """The confusion matrices of all its tests by the dataset's name, its own dataset first."""
        return {self.trial.config.dataset.name: self.test} | self.elsewhere

    @property
    def outdated(self) -> str:
        """How it falls short of its config today: it has other classes or lacks a test set; empty where it does not.

        A dataset of the paper, and `test_on=all`, are names in a config: what they mean may have changed since.
        """
        dataset = self.trial.config.dataset
        if others := [m.classes for m in (self.validation, *self.tests.values()) if m.classes != dataset.classes]:
            return f"other classes of {dataset} ({', '.join(others[0])}; now {', '.join(dataset.classes)})"
        lacking = [each.name for each in self.trial.config.tested if each.name not in self.tests]
        return f"no test on {', '.join(lacking)}" if lacking else ""

    def to_json(self) -> dict[str, Any]:
        return _RECORD.dump_python(self, mode="json")

    @staticmethod
    def from_json(value: dict[str, Any]) -> "RunRecord":
        return _RECORD.validate_python(value)


def read_record(text: str | bytes, *, where: str) -> RunRecord:
    """A record from its JSON.

    Args:
        where: the file or run that it was read from, for the message.

    Raises:
        Damaged: it is no record, or not the one that was written.
        InputError: this version cannot read it.
    """
    value = unsealed(text, where=where)
    if not isinstance(value, dict) or not {"trial", "validation", "test"} <= value.keys():
        raise Damaged(f"{where} is damaged: it is no record of a trial")
    with validating(f"{where}: a record that this version cannot read"):
        return RunRecord.from_json(value)


_TRIAL: TypeAdapter[Trial] = TypeAdapter(Trial)
_RECORD: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)


def plan(
    tables: Sequence[Table], *, seeds: Iterable[int] = (0,), overrides: dict[str, Any] | None = None
) -> list[Trial]:
    """Every training the tables ask for, each once, breadth-first: all configs with one seed before the next seed."""
    asking = {config: tuple(t.number for t in tables if config in t.rows.values()) for config in configs(tables)}
    return [Trial(config, seed, asking[config], overrides or {}) for seed in dict.fromkeys(seeds) for config in asking]


def remaining(trials: Iterable[Trial], finished: Collection[str]) -> list[Trial]:
    """The trials whose id is not among the finished."""
    return [trial for trial in trials if trial.id not in finished]


def overview(tables: Sequence[Table], trials: Sequence[Trial], finished: Collection[str]) -> dict[str, Any]:
    """Rows, distinct configs, trials (configs x seeds), finished and to run: per table and in all; ids of the last."""

    def count(of: Sequence[Table], wanted: Sequence[Trial]) -> dict[str, int]:
        to_run = len(remaining(wanted, finished))
        return {
            "rows": sum(len(table.rows) for table in of),
            "configs": len(configs(of)),
            "trials": len(wanted),
            "finished": len(wanted) - to_run,
            "to_run": to_run,
        }

    per_table = [
        {"table": table.number, "title": table.title}
        | count([table], [trial for trial in trials if table.number in trial.tables])
        for table in tables
    ]
    ids = [trial.id for trial in remaining(trials, finished)]
    return {"tables": per_table} | count(tables, trials) | {"trial_ids": ids}
