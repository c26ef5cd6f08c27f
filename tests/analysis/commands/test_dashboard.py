"""Workspace and report, made by the real client on a stub of W&B's HTTP interface."""

import json

import pytest
from wandb_stub import WandbStub

from analysis.__main__ import main
from search_spaces.paper import PROPOSED, vary
from search_spaces.rehearsal import REHEARSAL

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:::wandb_workspaces")]
COMMAND = ["dashboard", "--wandb", "lab/wbc-study", "--tables", "4", "6"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def put(stub: WandbStub, record) -> None:
    run = stub.add(record.trial.id)
    run.exit_code = 0
    run.summary = {"record": json.dumps(record.to_json())}


def views(stub: WandbStub) -> dict[str, dict]:
    """The one workspace and the one report, as W&B was given them."""
    assert sorted(view["type"] for view in stub.views.values()) == ["project-view", "runs"]
    return {view["type"]: json.loads(view["spec"]) for view in stub.views.values()}


def test_a_section_for_each_table_and_a_second_time_replaces_the_first(wandb_stub: WandbStub, make_record, capsys):
    put(wandb_stub, make_record(PROPOSED))
    assert main(COMMAND) == 1
    printed = capsys.readouterr().out
    assert "Table 4: rows are missing" in printed
    first = {view["id"]: view["name"] for view in wandb_stub.views.values() if view["type"] == "project-view"}
    put(wandb_stub, make_record(vary(mixup_alpha=0.4)))
    main(COMMAND)
    spec = views(wandb_stub)["project-view"]
    assert {view["id"]: view["name"] for view in wandb_stub.views.values() if view["type"] == "project-view"} == first
    sections = spec["section"]["panelBankConfig"]["sections"]
    assert [section["name"] for section in sections] == [
        "Table 4. Effect of the mixup parameter on the LDWBC test set (%)",
        "Table 6. Attention modules by cell type on the LDWBC test set (%)",
    ]
    shown = json.dumps(sections, ensure_ascii=False)
    assert "| 0.4 | **100.00** |" in shown
    for metric in ("test/accuracy", "test/macro_f1", "test/recall/basophil", "validation_accuracy", "gradcam"):
        assert metric in shown
    assert wandb_stub.unknown == []


def test_the_report_has_the_tables_and_the_runs_that_fill_them(wandb_stub: WandbStub, make_record):
    records = [make_record(PROPOSED, seed) for seed in (0, 1)]
    for record in (*records, make_record(vary(epochs=3))):
        put(wandb_stub, record)
    for _ in range(2):
        main(COMMAND)
    blocks = views(wandb_stub)["runs"]["blocks"]
    tables = [block["content"] for block in blocks if block["type"] == "markdown-block"]
    assert [table.split(" ")[1] for table in tables] == ["4.**", "6.**"]
    assert "| 0.2 | **100.00 ± 0.00** |" in tables[0] or "| 0.2 | 100.00 ± 0.00 |" in tables[0]
    (four, _) = (block["metadata"] for block in blocks if block["type"] == "panel-grid")
    (filters,) = four["runSets"][0]["filters"]["filters"]
    assert filters["value"] == [record.trial.id for record in records]
    plots = [panel["config"] for panel in four["panelBankSectionConfig"]["panels"] if "Media" not in panel["viewType"]]
    seeds = {(plot["groupBy"], plot["groupAgg"], plot["groupArea"]) for plot in plots}
    assert seeds == {("name.value", "mean", "stddev")}


def test_two_studies_of_a_project_have_dashboards_of_their_own(wandb_stub: WandbStub, make_record):
    put(wandb_stub, make_record(PROPOSED))
    put(wandb_stub, make_record(PROPOSED.override(REHEARSAL), overrides=REHEARSAL))
    main([*COMMAND, "--set"])
    main([*COMMAND, "--set", *(f"{knob}={value}" for knob, value in REHEARSAL.items())])
    names = [view["displayName"] for view in wandb_stub.views.values()]
    assert names[:2] == 2 * ["White blood cell study"]
    assert names[2] == names[3]
    assert names[2].startswith("REHEARSAL. White blood cell study: trunks tiny")


def test_without_a_server_what_to_do_instead_is_told(capsys):
    assert main(["dashboard", "--storage", "elsewhere"]) == 2
    error = capsys.readouterr().err
    assert "a dashboard needs --wandb ENTITY/PROJECT" in error
    assert "wandb leet elsewhere/wandb shows the runs" in error


def test_the_terminal_viewer_that_is_advised_exists():
    from click.testing import CliRunner
    from wandb.cli.cli import cli

    shown = CliRunner().invoke(cli, ["leet", "--help"])
    assert shown.exit_code == 0
    assert "wandb leet ./wandb" in shown.output


def test_a_server_that_refuses_is_one_line_and_exit_2(wandb_stub: WandbStub, make_record, capsys):
    put(wandb_stub, make_record(PROPOSED))
    wandb_stub.fault = lambda request: 403 if request.operation == "UpsertView2" else None
    assert main(COMMAND) == 2
    assert "error: cannot save the dashboards in " in capsys.readouterr().err
    assert wandb_stub.views == {}
