"""Own datasets have tables of their own, and change nothing of the paper's."""

from search_spaces.catalogue import catalogue
from search_spaces.own import own_tables
from search_spaces.paper import DATASETS, MODELS, TABLES
from search_spaces.table import configs
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import Dataset
from wbc_model.datasets.lisc import DATASET as LISC

CELLS = Dataset(name="cells", label="Cells", classes=("erythroblast", "eosinophil"))
WARD = Dataset(name="ward", classes=("platelet", "band"))


def test_the_papers_tables_are_the_same_beside_own_ones():
    """Every number, label, column, note and id: as text, to the byte."""
    before, after = catalogue(["E1"]), catalogue(["E1"], own=(CELLS, WARD))
    assert repr(after[: len(before)]) == repr(before)
    assert [config.id for config in configs(after[: len(before)])] == [config.id for config in configs(before)]
    assert len(configs(TABLES)) == 46
    assert [dataset.name for dataset in DATASETS] == ["ldwbc", "lisc", "bccd", "raabin"]


def test_a_study_of_own_data_is_tables_d1_and_d2():
    overall, by_class = catalogue((), own=(CELLS,))
    assert [labels for labels in overall.rows] == [("Cells", name) for name in MODELS]
    assert [column.label for column in by_class.columns] == ["Er", "Eo"]
    assert {config.dataset for config in configs([overall, by_class])} == {CELLS}
    assert len(configs([overall, by_class])) == 6


def test_datasets_that_share_classes_are_tested_on_each_other():
    *_, cross = own_tables((CELLS, WARD, LISC))
    assert [labels for (labels,) in cross.rows] == ["Cells", "LISC"]
    assert [config.tested for config in cross.rows.values()] == [(CELLS, LISC), (LISC, CELLS)]
    assert len(own_tables((CELLS, WARD))) == 2


def test_two_declarations_of_one_name_have_rows_of_their_own():
    again = Dataset(name="cells", label="Cells", classes=("erythroblast", "eosinophil", "ig"))
    table, *_ = own_tables((CELLS, again))
    assert len(table.rows) == 12
    assert TrialConfig(dataset=CELLS).id != TrialConfig(dataset=again).id
