"""Print how robust the models are to altered images: `python -m analysis robustness` writes Table E8 and a CSV file."""

import argparse
import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean

from analysis.arguments import add_arguments, parse
from analysis.load import Study, load
from analysis.output import made_from
from analysis.output.own_columns import files_of, mean_sd, own_columns, write_and_print
from analysis.tables.fill import Filled, Row
from analysis.tables.layout import TableLayout
from study.evaluate.robustness import Robustness, robustness_of
from study.plan import RunRecord
from study.storage import Storage
from wbc_model.errors import Damaged, InputError, reports_input_errors
from wbc_model.inference.model_info import FILE as MODEL
from wbc_model.plain_text import counted, printable
from wbc_model.scoring.alterations import ALTERATIONS, BLUR, DARKEST, NOISE, QUALITY, STAIN

NOTES = (
    "OA in %, the mean over three strengths of each alteration, and over seeds; Unaltered is the ordinary test. The "
    "same trained models are tested; none was trained for this.",
    f"Blur: Gaussian, SD {', '.join(f'{sd:g}' for sd in BLUR)} pixels of 224; noise: Gaussian, SD "
    f"{', '.join(f'{sd:g}' for sd in NOISE)} of 255; JPEG: quality {', '.join(map(str, QUALITY))}; light: falls across "
    f"the image to {', '.join(f'{100 * share:g} %' for share in DARKEST)}; stain: absorbance of each colour up to "
    f"{', '.join(f'{100 * share:g} %' for share in STAIN)} higher or lower.",
)
CSV = "robustness.csv"
LINE = "table", "row", "trial", "alteration", "strength", "OA", "AF1"
"""Its columns."""


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables and print them; 0: every row has its numbers, 1: some have not, or runs could not be read."""
    options = parse(parser(), argv)
    out = options.pop("out")
    asked = options | {"tables": options["tables"] or ["12"]}
    study = load(**asked)
    tables, files = printed(study)
    write_and_print(tables, files, out)
    made_from.save(study, tables, asked=asked, out=out, written=files, command="robustness")
    for problem in study.reading.problems:
        print(printable(problem))
    print(f"Written to {out.absolute()}: {', '.join(files)}")
    return 1 if study.reading.problems or any(filled.missing for filled in study.tables) else 0


def printed(study: Study) -> tuple[list[TableLayout], dict[str, str]]:
    """Table E8 of each table of a study, and the text of every file that prints them, by name.

    Raises:
        InputError: the study was read from a server.
    """
    if study.storage is None:
        raise InputError("tests on altered images are kept in the study's storage: give it with --storage")
    found = _found(study)
    tables = [_table(study, filled, found) for filled in study.tables]
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows([LINE, *(line for filled in study.tables for line in _lines(filled, found))])
    return tables, files_of(tables) | {CSV: lines.getvalue()}


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="python -m analysis robustness",
        description="OA of the models of a table [12] on test images that are blurred, noisy, compressed, unevenly "
        "lit and otherwise stained, as table E8, from `python -m study.evaluate all --on DATASET --altered`.",
        epilog="exit status: 0 every row has its numbers, 1 some have none or runs were not read, 2 nothing printed",
    )
    add_arguments(described)
    return described


def _found(study: Study) -> dict[str, Robustness]:
    """By trial id, its tests on altered images of its own dataset; trials that have none are problems of the study."""
    found, untested = {}, defaultdict(list)
    storage = Storage(str(study.storage))
    for run in {run.trial.id: run for filled in study.tables for row in filled.rows for run in row.runs}.values():
        try:
            if one := _of(run, storage):
                found[run.trial.id] = one
            else:
                untested[run.trial.config.dataset.name].append(run.trial.id)
        except Damaged as error:
            study.reading.problems.append(str(error.args[0]))
    study.reading.problems += [
        f"not tested on altered images: {counted(len(trials), 'trial')} of {dataset}: "
        f"python -m study.evaluate {' '.join(trials)} --on {dataset} --altered --storage {storage.root}"
        for dataset, trials in untested.items()
    ]
    return found


def _of(run: RunRecord, storage: Storage) -> Robustness | None:
    """The tests of a run's model, if there are some and they are of the model and of the images that it has now."""
    one = robustness_of(storage.trial(run.trial.id), run.trial.config.dataset.name)
    now = run.files.get(MODEL), run.provenance.get("data")
    return one if one and (one.model, one.images) == now else None


def _table(study: Study, filled: Filled, found: dict[str, Robustness]) -> TableLayout:
    def texts(row: Row) -> list[str] | None:
        if not row.runs or any(run.trial.id not in found for run in row.runs):
            return None
        plain = [100 * run.test.accuracy for run in row.runs]
        columns = [[_mean(found[run.trial.id], name) for run in row.runs] for name in ALTERATIONS]
        return [mean_sd(column, places=2) for column in (plain, *columns)]

    heads = ["Unaltered", *(name[0].upper() + name[1:] for name in ALTERATIONS)]
    title = "Robustness to altered images"
    lost = "not all of its trials were tested on altered images"
    return own_columns(study, filled, number="E8", title=title, columns=heads, texts=texts, notes=NOTES, lost=lost)


def _mean(found: Robustness, name: str) -> float:
    """OA over the strengths of an alteration, in percent."""
    return 100 * fmean(matrix.accuracy for matrix in found.matrices[name])


def _lines(filled: Filled, found: dict[str, Robustness]) -> Iterator[tuple[object, ...]]:
    for row in filled.rows:
        for trial_id in (run.trial.id for run in row.runs if run.trial.id in found):
            for name, matrices in found[trial_id].matrices.items():
                for strength, matrix in enumerate(matrices, 1):
                    scores = matrix.scores()
                    yield (filled.table.number, filled.describe(row), trial_id, name, strength,
                           f"{100 * scores['accuracy']:.4f}", f"{100 * scores['macro_f1']:.4f}")  # fmt: skip
