"""The study as one self-contained HTML page: every number opens what it rests on, and the runs behind it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from upath import UPath

from analysis.report.answers import answers
from analysis.report.forest import NOTE, forest
from analysis.report.hard_images import Page
from analysis.report.links import Link
from analysis.report.templates import TEMPLATES
from analysis.runs.pictures import gradcam
from analysis.runs.reading import Reading
from analysis.stats.evidence import Line
from analysis.tables.command_line import arguments, command
from analysis.tables.fill import Filled, Row, percent
from analysis.tables.layout import lay_out
from analysis.tables.notes import REHEARSAL_NOTE
from study.plan import RunRecord, Trial
from wbc_model.datasets.dataset import letters
from wbc_model.nested import flatten

CURVES = ("train_accuracy", "validation_accuracy", "train_loss")


@dataclass(frozen=True)
class Figure:
    """A figure as the page shows it."""

    number: str
    label: str
    title: str
    caption: str
    picture: str
    """As a data URL."""


def render(
    tables: Sequence[Filled],
    reading: Reading,
    *,
    cells: Sequence[Sequence[Line]],
    left_out: Mapping[str, str],
    storage: UPath | None = None,
    beside: Mapping[str, str] | None = None,
    figures: Sequence[Figure] = (),
    links: Mapping[str, Sequence[Link]] | None = None,
    hard: Sequence[Page] = (),
) -> str:
    """The HTML of the page. It depends on the runs alone, so that printing them twice gives equal files.

    Args:
        cells: of each table, its lines in `cells.csv`.
        left_out: by number, why a table is not among `tables`.
        beside: by number, the HTML of the tables that show no scores: 1-3, printed first, and others (ranks).
        storage: where the runs were read from; None: a server.
        links: by trial id, those to what is kept of it.
        hard: the pages of images that most trials get wrong.
    """
    rows = {row.config.id: row for filled in tables for row in filled.rows}.values()
    runs = {run.trial.id: run for row in rows for run in row.runs}
    overrides, layouts = tables[0].overrides, [lay_out(filled) for filled in tables]
    plots = [forest(one, lines) for one, lines in zip(tables, cells, strict=True)]
    unscored = {number: Markup(table) for number, table in (beside or {}).items()}
    return TEMPLATES.get_template("report.html").render(
        tables=[
            (layout, one.missing, command(one, storage=storage), plot)
            for layout, one, plot in zip(layouts, tables, plots, strict=True)
        ],
        general=[
            *dict.fromkeys(note for layout in layouts for note in layout.general),
            *([NOTE] if any(plots) else []),
        ],
        setup={number: table for number, table in unscored.items() if number.isdigit()},
        others={number: table for number, table in unscored.items() if not number.isdigit()},
        figures=figures,
        hard=hard,
        left_out=left_out,
        finished=len(runs),
        wanted=len(runs) + sum(len(row.missing_seeds) for row in rows),
        study=f"--set {arguments(overrides)}" if overrides else "",
        commits=sorted({str(git) for run in runs.values() if (git := run.provenance.get("git"))}),
        remarks=[*reading.notes, *(f"Not read: {problem}" for problem in reading.problems)],
        rehearsal=REHEARSAL_NOTE if any(filled.rehearsal for filled in tables) else "",
        answers={one.table.number: answers(one, lines) for one, lines in zip(tables, cells, strict=True)},
        rows={row.config.id: _details(row, reading, overrides, links or {}) for row in rows},
    )


def data_url(content: bytes, kind: str) -> str:
    """Bytes as a data URL of the MIME type `kind`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _details(
    row: Row, reading: Reading, overrides: Mapping[str, Any], links: Mapping[str, Sequence[Link]]
) -> dict[str, Any]:
    """What a number opens: the config of its row, the finished runs, and why others are missing."""
    own = {knob: value for knob, value in row.config.knobs().items() if knob not in overrides}
    missing = {seed: Trial(row.config, seed).id for seed in row.missing_seeds}
    return {
        "config": row.config.id,
        "differs": own,
        "knobs": flatten(row.config.to_json()),
        "runs": [
            _run(run, reading.runs[run.trial.id].where) | {"links": [vars(one) for one in links.get(run.trial.id, ())]}
            for run in row.runs
        ],
        "missing": [
            {"seed": seed, "id": trial_id, "why": reading.unfinished.get(trial_id, "not run yet")}
            for seed, trial_id in missing.items()
        ],
        "gradcam": next((url for run in row.runs if (url := _picture(reading, run))), None),
    }


def _run(run: RunRecord, where: str) -> dict[str, Any]:
    made = run.provenance
    others = [on for on in run.trial.config.tested[1:] if on.name in run.elsewhere]
    return {
        "id": run.trial.id,
        "seed": run.trial.seed,
        "best_epoch": run.best_epoch + 1,
        "seconds": round(run.seconds, 1),
        "scores": {name: float(percent(score)) for name, score in run.test.scores().items()},
        "classes": run.test.classes,
        "letters": letters(run.test.classes),
        "counts": run.test.counts,
        "elsewhere": {on.title: run.elsewhere[on.name].counts for on in others},
        "curves": {name: [round(e[name], 4) for e in run.curves if name in e] for name in CURVES},
        "made": {
            "commit": made.get("git", "unknown"),
            "code": made.get("code", "unknown"),
            "data": made.get("data", "unknown"),
            "weights": ", ".join(f"{name} {w['sha256'][:12]}" for name, w in made.get("weights", {}).items()) or "none",
            "machine": ", ".join(str(made[key]) for key in ("node", "device") if key in made) or "unknown",
            "packages": ", ".join(f"{name} {version}" for name, version in made.get("versions", {}).items()),
            "read from": where,
        },
    }


def _picture(reading: Reading, run: RunRecord) -> str | None:
    """The Grad-CAM sheet of a run as a data URL; None if it has none."""
    sheet = gradcam(reading, run.trial.id)
    return data_url(sheet, "image/jpeg") if sheet else None
