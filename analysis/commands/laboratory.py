"""Print what a laboratory asks of the compared models: `python -m analysis laboratory` writes Tables S2 to S5."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from analysis.arguments import add_arguments, parse
from analysis.figures.catalogue import SUFFIXES as FIGURE_SUFFIXES
from analysis.figures.catalogue import save_figure
from analysis.figures.laboratory import figures
from analysis.figures.style import styled
from analysis.load import Study, load
from analysis.output import made_from
from analysis.output.own_columns import files_of, mean_sd, own_columns, write_and_print
from analysis.runs.predictions import of_record
from analysis.stats.laboratory import CELLS as COUNTED
from analysis.stats.laboratory import (
    PREVALENCE,
    Detection,
    agreement,
    brier,
    detection,
    kappa,
    prevalence_of,
    slides,
)
from analysis.tables.fill import DASH, Filled, Row
from analysis.tables.layout import TableLayout
from wbc_model.choices import CELLS
from wbc_model.errors import InputError, reports_input_errors
from wbc_model.inference.calibration import BINS, calibration_error
from wbc_model.scoring.predictions import Predictions

SLIDES = 1000
"""Resampled of each trial."""
Texts = Callable[[list[Predictions]], list[str]]


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables and print them; 0: every row is filled, 1: rows are missing or runs could not be read."""
    options = parse(parser(), argv)
    out, seed = options.pop("out"), options.pop("slide_seed")
    asked = options | {"tables": options["tables"] or ["12"]}
    study = load(**asked)
    tables, files = printed(study, slide_seed=seed)
    write_and_print(tables, files, out)
    with styled():
        drawn = [save_figure(one, out) for filled in study.tables for one in figures(filled, study.reading)]
    written = [*files, *(f"{name}{suffix}" for name in drawn for suffix in FIGURE_SUFFIXES)]
    made_from.save(study, tables, asked=asked, out=out, written=written, command="laboratory",
                   options={"slide_seed": seed})  # fmt: skip
    print(f"Written to {out.absolute()}: {', '.join(dict.fromkeys(Path(name).stem for name in written))}")
    return 1 if study.reading.problems or any(filled.missing for filled in study.tables) else 0


def printed(study: Study, *, slide_seed: int) -> tuple[list[TableLayout], dict[str, str]]:
    """Tables S2 to S5 of each table of a study, and the text of every file that prints them, by name.

    Raises:
        InputError: a class is none of those whose share in blood is assumed.
    """
    if unknown := {name for filled in study.tables for row in filled.rows for name in row.config.dataset.classes} - {
        *PREVALENCE
    }:
        raise InputError(f"no share of {', '.join(sorted(unknown))} in blood is assumed: choose other tables")
    tables = [
        table
        for filled in study.tables
        for table in (_scores(study, filled), _counts(study, filled, seed=slide_seed), *_detections(study, filled))
    ]
    return tables, files_of(tables)


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="python -m analysis laboratory",
        description="Of the models of a table [12]: Cohen's kappa, calibration and Brier score (table S2), agreement "
        "of differential counts (S3), area under the ROC curve (S4) and average precision (S5); reliability diagrams, "
        "and the ROC and precision-recall curves of the proposed model.",
        epilog="exit status: 0 every row is filled, 1 rows are missing or runs could not be read, 2 nothing printed",
    )
    add_arguments(described)
    described.add_argument("--slide-seed", type=int, default=0, metavar="N", help="of the resampled slides [0]")
    return described


def _scores(study: Study, filled: Filled) -> TableLayout:
    notes = (
        "Kappa: Cohen's; balanced accuracy: the mean recall, in %; ECE: expected calibration error of the uncalibrated "
        f"probabilities, in percentage points, {BINS} bins of equal width (Guo et al. 2017); Brier score: from 0 to 2, "
        "0 is best.",
    )
    return _table(study, filled, "S2", "Agreement and calibration",
                  ("Kappa", "Balanced accuracy", "ECE", "Brier"), _agreement_and_calibration, notes)  # fmt: skip


def _agreement_and_calibration(kept: list[Predictions]) -> list[str]:
    kappas = [kappa(np.array(one.matrix.counts)) for one in kept]
    recalls = [100 * one.matrix.scores()["macro_recall"] for one in kept]
    errors = [100 * calibration_error(one.probabilities, one.truth) for one in kept]
    briers = [brier(one.probabilities, one.truth) for one in kept]
    return [mean_sd(kappas, places=3), mean_sd(recalls, places=2), mean_sd(errors, places=2), mean_sd(briers, places=3)]


def _counts(study: Study, filled: Filled, *, seed: int) -> TableLayout:
    def texts(kept: list[Predictions]) -> list[str]:
        classes = kept[0].classes
        counts = [np.array(one.matrix.counts) for one in kept]
        share = prevalence_of([name if n else "" for name, n in zip(classes, counts[0].sum(1), strict=True)])
        drawn = [slides(one, share, n=SLIDES, seed=seed) for one in counts]
        found = agreement(np.concatenate(drawn))
        each = zip(found.bias, *found.limits, strict=True)
        told = dict(zip(classes, (f"{b:+.2f} [{low:.2f}, {high:.2f}]" for b, low, high in each), strict=True))
        return [told.get(name, DASH) for name in CELLS]

    assumed = ", ".join(f"{name} {100 * PREVALENCE[name]:g} %" for name in CELLS)
    images = {row.config.dataset.title: run.test.images for row in filled.rows for run in row.runs}
    sizes = ", ".join(f"{title} {n}" for title, n in images.items())
    notes = (
        f"Bias [95 % limits of agreement] of called minus true share (Bland & Altman 1986), in percentage points of a "
        f"slide of {COUNTED} cells; {SLIDES} slides of each trial, resampled from its test images. Assumed: {assumed}; "
        "where a test set lacks a type, the others' shares are scaled to 100 %.",
        f"The limits rest on these test images alone ({sizes}): [0.00, 0.00] says that none of them was called wrong, "
        "not that no cell of a slide will be. The cells of a real slide are of one patient and one stain, which test "
        "images of many do not imitate: a patient's slides may be off by more.",
    )
    heads = [name.capitalize() for name in CELLS]
    return _table(study, filled, "S3", "Differential counts", heads, texts, notes, pooled=True)


def _detections(study: Study, filled: Filled) -> list[TableLayout]:
    against = "of each class against all others, in %, and their mean over the classes that have test images"
    return [
        _of_classes(study, filled, "S4", "Area under the ROC curve", lambda found: found.area,
                    f"Area under the ROC curve {against}."),
        _of_classes(study, filled, "S5", "Average precision", lambda found: found.average_precision,
                    f"Average precision {against}: the area under the steps of the precision-recall curve."),
    ]  # fmt: skip


def _of_classes(
    study: Study, filled: Filled, number: str, title: str, score: Callable[[Detection], float], note: str
) -> TableLayout:
    """A table with a column for each cell type and one for their mean."""

    def texts(kept: list[Predictions]) -> list[str]:
        each = []
        for one in kept:
            found = (detection(one.probabilities, one.truth, label) for label in range(len(one.classes)))
            each.append({name: 100 * score(of) for name, of in zip(one.classes, found, strict=True) if of})
        means = [fmean(scores.values()) for scores in each]
        columns = [[scores[name] for scores in each] if name in each[0] else [] for name in CELLS]
        return [mean_sd(column, places=2) if column else DASH for column in (*columns, means)]

    heads = [*(name.capitalize() for name in CELLS), "Mean"]
    return _table(study, filled, number, title, heads, texts, (note,))


def _table(
    study: Study, filled: Filled, number: str, title: str, columns: Sequence[str], texts: Texts, notes: tuple[str, ...],
    *, pooled: bool = False,
) -> TableLayout:  # fmt: skip
    """A table of what the predictions of a row's trials say; a dash in each column if one has lost its own."""

    def cells(row: Row) -> list[str] | None:
        kept = [of_record(run, study.reading.predictions) for run in row.runs]
        there = [one for one in kept if one]
        return texts(there) if there and len(there) == len(kept) else None

    return own_columns(study, filled, number=number, title=title, columns=columns, texts=cells, notes=notes,
                       lost="the predictions of a trial are missing", pooled=pooled)  # fmt: skip
