"""The numbers printed by Chen et al. 2022, as data: shown beside measured ones, never mixed with them.

Rows of Tables 7-9 are in the article's order; which branch rows 1 and 2 show is inferred (search_spaces/paper.py).
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from analysis.tables.fill import describe
from search_spaces.paper import TABLES
from search_spaces.table import Table
from wbc_model.config import TrialConfig

FOLDER = Path(__file__).parent / "printed"
SOURCE = "Chen et al. 2022, BMC Bioinformatics 23:282"
VALIDATION_IN_TEXT = {"0": Decimal("97.37"), "0.2": Decimal("97.62")}
"""By mixup parameter, the highest validation accuracy on LDWBC, from the text on Fig. 6."""
EXCLUDED = {"BCCD": 108}
"""Images counted in Table 1 and excluded from Table 2, according to the section on the data."""
TRAINING_IN_TEXT = Decimal("98.53")
"""Training accuracy with mixup parameter 0.2, from the text on Fig. 6."""

Labels = tuple[str, ...]
Numbers = Mapping[str, Decimal]
"""By column label, in percent as printed; dashes are left out."""


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A row of a printed table."""

    of: Table
    labels: Labels
    config: TrialConfig
    numbers: Numbers

    @property
    def table(self) -> str:
        return self.of.number

    def __str__(self) -> str:
        return f"Table {self.table}, {describe(self.of, self.labels)}"


def read_csv(number: str) -> list[dict[str, str]]:
    """Lines of Tables 1-3, by heading."""
    with (FOLDER / f"table_{number}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def printed() -> tuple[Printed, ...]:
    """Every row of Tables 4-12."""
    return tuple(row for table in TABLES for row in _rows(table))


def _rows(table: Table) -> list[Printed]:
    with (FOLDER / f"table_{table.number}.csv").open(newline="", encoding="utf-8") as file:
        _, *lines = csv.reader(file)
    width = len(table.stub)
    return [
        Printed(
            of=table,
            labels=labels,
            config=table.rows[labels],
            numbers={c.label: Decimal(x) for c, x in zip(table.columns, line[width:], strict=True) if x},
        )
        for line in lines
        if (labels := tuple(line[:width]))
    ]


def of_table(number: str, rows: Sequence[Printed]) -> dict[Labels, Numbers]:
    return {row.labels: row.numbers for row in rows if row.table == number}


def sizes_of(config: TrialConfig) -> tuple[int, int, int]:
    """Table 2: training, validation and test images of the dataset of a row of the paper."""
    assert config.dataset.sizes is not None
    return config.dataset.sizes


def images_tested(config: TrialConfig) -> int:
    """Table 2: images of the dataset's test set."""
    return sizes_of(config)[2]


def dataset_of(config: TrialConfig) -> str:
    return config.dataset.title
