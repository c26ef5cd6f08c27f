"""A study's views on a W&B server: a saved workspace and a report, which replace those of the same name."""

from typing import Any

import wandb
from wandb.sdk.lib.service.service_connection import WandbApiFailedError
from wandb_workspaces import expr
from wandb_workspaces import workspaces as ws
from wandb_workspaces._graphql import execute_graphql
from wandb_workspaces.reports import v2 as wr

from analysis.load import Study
from analysis.output.markup import to_markdown
from analysis.tables.command_line import arguments
from analysis.tables.fill import Filled
from analysis.tables.layout import lay_out
from analysis.tables.notes import REHEARSAL_NOTE, marked, title
from wbc_model.errors import InputError

NAME = "White blood cell study"
CURVES = {"train_accuracy": "Training accuracy", "validation_accuracy": "Validation accuracy"}
SEEDS: dict[str, Any] = {"groupby": wr.Config("name"), "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}
"""A bar or curve for all seeds of a row."""
VIEWS = """
query Views($entity: String!, $project: String!, $viewType: String = "project-view") {
  project(name: $project, entityName: $entity) {
    allViews(viewType: $viewType) { edges { node { id name displayName } } }
  }
}
"""


def save(study: Study, path: str) -> dict[str, str]:
    """Save the workspace and the report in `ENTITY/PROJECT`; returns their addresses by kind.

    Raises:
        InputError: W&B refuses, or cannot be asked.
    """
    entity, project = path.split("/")
    try:
        return {
            "Workspace": save_workspace(study, entity, project),
            "Report": save_report(study, entity, project),
        }
    except (wandb.Error, WandbApiFailedError) as error:
        raise InputError(f"cannot save the dashboards in {path}: {error}") from error


def save_workspace(study: Study, entity: str, project: str) -> str:
    """Save the workspace, replacing one of the same name; returns its address."""
    name = name_of(study)
    found = _workspace(entity, project, name)
    workspace = ws.Workspace.from_url(found) if found else ws.Workspace(entity=entity, project=project, name=name)
    workspace.sections = [
        ws.Section(
            name=f"Table {filled.table.number}. {title(filled)}",
            panels=[wr.MarkdownPanel(markdown=to_markdown(lay_out(filled))), *panels(filled)],
            is_open=i == 0,
        )
        for i, filled in enumerate(study.tables)
    ]
    return (workspace.save() if found else workspace.save_as_new_view()).url


def save_report(study: Study, entity: str, project: str) -> str:
    """Save the report, replacing one of the same title; returns its address."""
    name = name_of(study)
    found = next((old.url for old in wandb.Api().reports(f"{entity}/{project}") if old.display_name == name), None)
    report = wr.Report.from_url(found) if found else wr.Report(entity=entity, project=project, title=name)
    assert isinstance(report, wr.Report)
    report.description = REHEARSAL_NOTE if study.rehearsal else "The paper's tables from this project's runs."
    report.blocks = [wr.TableOfContents()]
    for filled in study.tables:
        runs = wr.Runset(entity, project, name=f"Table {filled.table.number}", filters=[_runs_of(filled)])
        report.blocks += [
            wr.H2(f"Table {filled.table.number}. {title(filled)}"),
            wr.MarkdownBlock(to_markdown(lay_out(filled))),
            wr.PanelGrid(runsets=[runs], panels=panels(filled)),
        ]
    return report.save().url


def name_of(study: Study) -> str:
    """Name of the workspace and the report, one pair per study of a project. W&B renders `=` as an emoji."""
    name = f"{NAME}{f': {arguments(study.overrides)}' if study.overrides else ''}"
    return marked(name, rehearsal=study.rehearsal).replace("=", " ")[:128]


def panels(filled: Filled) -> list[wr.BarPlot | wr.LinePlot | wr.MediaBrowser]:
    """The panels of a table: its columns as bars and learning curves, mean and SD over seeds, and Grad-CAM pictures."""
    bars = [
        wr.BarPlot(title=column.label, metrics=[wr.SummaryMetric(f"test/{column.path}")], max_bars_to_show=50, **SEEDS)
        for column in filled.table.columns
    ]
    lines = [wr.LinePlot(title=heading, x="epoch", y=[name], **SEEDS) for name, heading in CURVES.items()]
    return [*bars, *lines, wr.MediaBrowser(title="Grad-CAM", media_keys=["gradcam"])]


def _runs_of(filled: Filled) -> expr.FilterExpr:
    """A filter for the finished runs of a table, by id: tags name the tables at the time of the launch."""
    ids = sorted(run.trial.id for row in filled.rows for run in row.runs)
    return expr.Metric("ID").isin(ids)


def _workspace(entity: str, project: str, name: str) -> str | None:
    """The address of the saved workspace of a name."""
    api = wandb.Api()
    answer = execute_graphql(api, VIEWS, {"entity": entity, "project": project, "viewType": "project-view"})
    views = [edge["node"] for edge in answer["project"]["allViews"]["edges"]]
    found = next((view["name"] for view in views if view["displayName"] == name), None)
    if found is None:
        return None
    return f"{api.settings['base_url']}/{entity}/{project}?nw={found.removeprefix('nw-').removesuffix('-v')}"
