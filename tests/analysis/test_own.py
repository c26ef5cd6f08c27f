"""A study of a user's own datasets: which tables it has, what they say, and its figures."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.figures import catalogue
from analysis.runs.reading import Reading
from analysis.tables.choose import tables_under
from analysis.tables.command_line import command
from analysis.tables.fill import Filled, fill
from analysis.tables.notes import notes
from search_spaces.own import own_tables
from search_spaces.paper import PROPOSED
from study.plan import RunRecord
from wbc_model.datasets.dataset import Dataset, Groups

EIGHT = Dataset(
    name="pbc", label="PBC", groups=Groups(pattern="([^/]+)_"),
    classes=("basophil", "eosinophil", "erythroblast", "ig", "lymphocyte", "monocyte", "neutrophil", "platelet"),
)  # fmt: skip
WARD = Dataset(name="ward", classes=("monocyte", "band"))
RUN = Path(__file__).parents[2] / "study" / "run.py"
CURVE = [{"epoch": epoch, "train_accuracy": 0.5, "validation_accuracy": 0.5} for epoch in range(3)]


@pytest.fixture
def records(make_record) -> list[RunRecord]:
    """Every model on both datasets, and the cross tests."""
    configs = {config: table.number for table in own_tables((EIGHT, WARD)) for config in table.rows.values()}
    found = []
    for config, number in configs.items():
        record = make_record(config)
        others = {on.name: make_record(replace(config, dataset=config.dataset)).test for on in config.tested[1:]}
        trial = replace(record.trial, tables=(number,))
        found.append(replace(record, trial=trial, curves=CURVE, elsewhere=others))
    return found


def filled(records: list[RunRecord], **of: list[str]) -> dict[str, Filled]:
    tables, _ = tables_under({}, records=records, **of)
    return {table.number: fill(table, records) for table in tables}


def test_a_study_of_own_data_prints_its_own_tables_alone(records):
    tables = filled(records)
    assert list(tables) == ["D1", "D2", "D3"]
    assert not [row for table in tables.values() for row in table.rows if row.missing_seeds]
    heads = [column.label for column in tables["D2"].table.columns]
    assert heads == ["Bas", "Eo", "Er", "I", "L", "M", "N", "P", "Ban"]


def test_beside_runs_of_the_paper_both_are_printed(records, make_record):
    tables = filled([*records, make_record(PROPOSED)])
    assert list(tables) == [*map(str, range(4, 13)), "D1", "D2", "D3"]


def test_a_table_says_its_classes_in_words(records):
    told = " ".join(notes(filled(records)["D2"]))
    assert "Test images: PBC 10 basophil, 10 eosinophil, 10 erythroblast, 10 ig," in told
    assert "Er erythroblast" in told
    assert "Eo eosinophil" in told


def test_what_fills_a_row_names_the_folder_to_give(records):
    lacking = filled([record for record in records if record.trial.config != PROPOSED][1:])
    assert command(lacking["D1"]) == "study/run.py --tables D1 --dataset pbc=FOLDER ward=FOLDER"


def test_figures_of_own_data(records, tmp_path: Path):
    drawn, impossible = catalogue.draw(filled(records), Reading(), manifests={}, data=None)
    assert ([figure.number for figure in drawn], impossible) == (["curves", "matrices", "cost"], {})
    assert "Er erythroblast" in drawn[1].caption
    catalogue.save(drawn, tmp_path)
    assert {file.name for file in tmp_path.glob("*.png")} == {f"figure_{f.number}.png" for f in drawn}


@pytest.mark.slow
def test_from_a_folder_of_class_folders_to_printed_tables(tmp_path: Path):
    """Three classes the paper has no word for, two patients, one command."""
    rng = np.random.default_rng(0)
    for k, cell in enumerate(("blast", "Band", "platelet clump")):
        for i in range(24):
            file = tmp_path / "cells" / cell / f"p{i % 6}_{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.normal((60 + 70 * k, 90, 160), 20, (40, 40, 3)).clip(0, 255).astype(np.uint8)).save(
                file
            )
    (tmp_path / "cells" / "dataset.toml").write_text('label = "Ours"\n[groups]\npattern = "(p[0-9])_"\n')
    words = ["--dataset", "cells", "--rehearse", "--set", "epochs=2", "image_size=32", "split=source_grouped"]
    command = [sys.executable, str(RUN), *words, "--cache", str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)}, text=True,
                          capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    table = (tmp_path / "build" / "rehearsal" / "table_D2.md").read_text()
    assert "| Dataset | Model | Ba | Bl | PC |" in table
    assert "| Ours | ResNet |" in table
    assert '"letters": ["Ba", "Bl", "PC"]' in (tmp_path / "build" / "rehearsal" / "report.html").read_text()
