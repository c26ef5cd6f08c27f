"""A study of a few seconds, on the drawn cells and weights of `tests/conftest.py`."""

from pathlib import Path

import pytest

from search_spaces.paper import TABLES
from search_spaces.rehearsal import REHEARSAL
from search_spaces.table import select
from study.plan import Trial, plan
from study.settings import Settings

QUICK = REHEARSAL | {"image_size": 32, "epochs": 3}


@pytest.fixture
def settings(drawn: Path, weights: Path, tmp_path: Path) -> Settings:
    return Settings(data=drawn, weights=weights, storage=str(tmp_path / "runs"), cache=tmp_path / "cache")


@pytest.fixture(scope="session")
def trials() -> list[Trial]:
    """The six models on LISC: Table 11's first block."""
    tables = select(TABLES, numbers=("11",), datasets=("lisc",), overrides=QUICK)
    return plan(tables, overrides=QUICK)
