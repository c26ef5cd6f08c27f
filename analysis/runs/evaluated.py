"""Trials that need no training: another trial's model is theirs, and was tested later on what they are tested on.

A trial with `test_on` trains as the one without it does. So where that one has kept its model and `study.evaluate` has
tested it on the same datasets, its record and evaluations are what the other trial would have recorded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from analysis.runs.reading import Reading, Run
from study.evaluate.evaluation import Evaluation, evaluations_of
from study.plan import RunRecord, Trial
from study.storage import Storage
from wbc_model.choices import EvaluateOn
from wbc_model.config import TrialConfig
from wbc_model.errors import Damaged
from wbc_model.inference.model_info import FILE as MODEL

EVALUATED = "evaluated"
"""In such a record's provenance: the trial whose model was tested, and the remarks on tests that need one."""


def add_evaluated(reading: Reading, configs: Iterable[TrialConfig], storage: Storage) -> None:
    """Add to a reading the runs of configs that have none, where another run's evaluations stand for them."""
    for config in configs:
        if not config.elsewhere:
            continue
        own = replace(config, test_on=EvaluateOn.OWN)
        for run in [run for run in reading.runs.values() if run.record.trial.config == own]:
            trial = Trial(config, run.record.trial.seed, run.record.trial.tables, run.record.trial.overrides)
            if trial.id in reading.runs:
                continue
            try:
                found = evaluations_of(storage.trial(run.record.trial.id))
            except Damaged as error:
                reading.problems.append(str(error))
                continue
            if record := _record(trial, run.record, found):
                reading.runs[trial.id] = Run(record, run.fetch, run.where)


def _record(trial: Trial, ours: RunRecord, found: Mapping[str, Evaluation]) -> RunRecord | None:
    """The record of a trial, from that of another and its evaluations; None if they do not suffice."""
    tests = {
        dataset.name: test
        for dataset in trial.config.tested[1:]
        if (test := found.get(dataset.name)) and test.test_set and test.declaration == dataset.fingerprint
    }
    fitting = [
        (ours.files.get(MODEL), ours.test.classes) == (test.model, test.matrix.classes) for test in tests.values()
    ]
    if len(tests) < len(trial.config.tested) - 1 or not all(fitting):
        return None
    remarks = {test.title: test.remark for test in tests.values() if test.seen != 0}
    return replace(
        ours,
        trial=trial,
        seconds=sum(test.seconds for test in tests.values()),
        elsewhere={name: test.matrix for name, test in tests.items()},
        provenance=ours.provenance
        | {
            "data_elsewhere": {name: test.images for name, test in tests.items()},
            EVALUATED: {"trial": ours.trial.id, "remarks": remarks},
        },
    )
