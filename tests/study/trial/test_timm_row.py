"""A network of timm is one line: from its row to its printed cells."""

from pathlib import Path

import pytest

from analysis.output.latex import render
from analysis.tables.fill import fill
from analysis.tables.layout import lay_out
from search_spaces.paper import LISC, MACRO_F1, vary
from search_spaces.rehearsal import REHEARSAL
from search_spaces.table import OVERALL, Table, select
from study.plan import plan
from study.settings import Settings
from study.storage import Storage
from study.trial.execute import run_trial
from study.trial.inputs import check_inputs
from wbc_model.choices import Init
from wbc_model.models import Baseline

pytestmark = pytest.mark.slow
SHORT = REHEARSAL | {"epochs": 1, "image_size": 32, "trunks": "full"}


def test_one_line_of_a_table_plans_trains_on_drawn_cells_and_prints(settings: Settings):
    rows = {("ResNet-18",): vary(model=Baseline("timm:resnet18.a1_in1k", Init.RANDOM), dataset=LISC)}
    table = Table("E9", "A network of timm", ("Model",), rows, OVERALL, (MACRO_F1,))
    (chosen,) = select([table], numbers=(), datasets=(), overrides=SHORT)
    (trial,) = plan([chosen], overrides=SHORT)
    assert trial.name == "model.network=timm:resnet18.a1_in1k model.init=random dataset=lisc"
    assert check_inputs([trial], settings) == []
    assert len(list(run_trial(trial, settings))) == 1
    files = Storage(settings.storage).trial(trial.id)
    record = files.record()
    assert record is not None
    assert record.provenance["weights"] == {}
    assert not (Path(settings.storage) / "trials" / trial.id / "gradcam.png").exists()
    printed = render(lay_out(fill(chosen, [record])))
    assert f"ResNet-18 & {100 * record.test.accuracy:.2f} & " in printed
