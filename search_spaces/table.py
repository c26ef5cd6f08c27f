"""A table: rows (labels and configs) and columns (scores), declared before there are results."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wbc_model.choices import CELLS
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import Dataset, Groups, letters
from wbc_model.errors import InputError


@dataclass(frozen=True)
class Column:
    """One score of `ConfusionMatrix.scores()` and its heading in the paper. Higher is better for all of them."""

    key: str
    label: str
    on: Dataset | None = None
    """The dataset whose test images are scored; None: that of the row. A column with a dataset has no best value,
    because models with other classes are tested on other images."""

    @property
    def path(self) -> str:
        """`accuracy`, or `lisc/accuracy`: the key below `test/` in W&B's summary."""
        return f"{self.on}/{self.key}" if self.on else self.key


OVERALL = (
    Column("accuracy", "OA"),
    Column("macro_precision", "AP"),
    Column("macro_recall", "AR"),
    Column("macro_f1", "AF1"),
)


def per_class(classes: Sequence[str]) -> tuple[Column, ...]:
    """A column for the recall of each class, headed by its letter."""
    return tuple(Column(f"recall/{name}", letter) for name, letter in zip(classes, letters(classes), strict=True))


PER_CLASS = per_class(CELLS)

Rows = Mapping[tuple[str, ...], TrialConfig]


@dataclass(frozen=True)
class Table:
    """Rows (labels -> config), columns (scores), and the notes below them."""

    number: str
    title: str
    stub: tuple[str, ...]
    """Headings of the row labels: one for each label of a row."""
    rows: Rows
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()
    best_within: int = 0
    """The best value is sought among the rows that share this many leading labels."""
    heads: tuple[tuple[str, ...], ...] = ()
    """Headings of the row labels in several levels, as in the paper, outermost first; empty: `stub` alone."""

    def __post_init__(self) -> None:
        for labels in (*self.rows, *self.heads):
            if len(labels) != len(self.stub):
                raise ValueError(f"Table {self.number}: row {labels} wants one label for each of {self.stub}")


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """`["epochs=2", "model.attention=se"]` as `{"epochs": 2, "model.attention": "se"}`.

    A value that is no JSON is taken as text.

    Raises:
        InputError: a pair without `=`, or a knob given twice.
    """
    overrides: dict[str, Any] = {}
    for pair in pairs:
        knob, equals, text = pair.partition("=")
        if not equals:
            raise InputError(f"--set wants KNOB=VALUE, got {pair!r}")
        if knob in overrides:
            raise InputError(f"--set gives {knob} twice")
        try:
            overrides[knob] = json.loads(text)
        except json.JSONDecodeError:
            overrides[knob] = text
    return overrides


_CAN_ALL = Dataset(name="any", classes=("a", "b"), groups=Groups(pattern="(.)"))
"""A dataset that allows every value of every knob; whether a row's own dataset does is checked with the row."""


def effective(overrides: dict[str, Any]) -> dict[str, Any]:
    """The overrides that differ from the defaults, as a config holds them: `{"epochs": 100, "lr": 1}` is `{"lr": 1.0}`.

    Raises:
        InputError: no such knob, or a bad value.
    """
    default = TrialConfig(dataset=_CAN_ALL)
    kept: dict[str, Any] = {}
    for knob, value in overrides.items():
        held = value if knob.startswith("model.") else default.override({knob: value}).to_json()[knob]
        if knob.startswith("model.") or held != default.to_json()[knob]:
            kept[knob] = held
    return kept


def select(
    tables: Iterable[Table], *, numbers: Collection[str], datasets: Collection[str], overrides: dict[str, Any]
) -> list[Table]:
    """The tables with these numbers and their rows on these datasets (empty: all), with every config overridden.

    Args:
        overrides: by knob, `{"epochs": 2, "model.attention": "se"}`; a `model.` knob is set in models that have it.

    Raises:
        InputError: no such table or dataset, no row of those tables on those datasets, no such knob, a bad value, or
            an override of the knob that a table varies, which would make its rows equal.
    """
    known = {table.number: table for table in tables}
    if unknown := [number for number in numbers if number not in known]:
        raise InputError(f"no table {', '.join(unknown)}: the study has tables {', '.join(known)}")
    there = dict.fromkeys(config.dataset.name for table in known.values() for config in table.rows.values())
    if unknown := [dataset for dataset in datasets if dataset not in there]:
        raise InputError(f"no dataset {', '.join(unknown)}: the study has {', '.join(there)}")
    chosen = [known[number] for number in known if not numbers or number in numbers]
    chosen = [_override(_restrict(table, datasets), overrides) for table in chosen]
    if not any(table.rows for table in chosen):
        raise InputError(f"no row of table {', '.join(numbers)} is on {', '.join(datasets)}")
    return [table for table in chosen if table.rows]


def _restrict(table: Table, datasets: Collection[str]) -> Table:
    return replace(table, rows={k: c for k, c in table.rows.items() if not datasets or c.dataset.name in datasets})


def _override(table: Table, overrides: dict[str, Any]) -> Table:
    rows = {labels: config.override(overrides) for labels, config in table.rows.items()}
    if len(set(rows.values())) < len(set(table.rows.values())):
        raise InputError(
            f"Table {table.number} varies what is being set ({', '.join(overrides)}): its rows would be equal"
        )
    return replace(table, rows=rows)


def configs(tables: Iterable[Table]) -> list[TrialConfig]:
    """The distinct configs in the rows of some tables, in order of first use."""
    return list(dict.fromkeys(config for table in tables for config in table.rows.values()))
