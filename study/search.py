"""A search: Optuna chooses configs by their validation accuracy. The only file with a sampler.

STORAGE/searches/<name>/ is a storage of its own, whose trials see no test data. Beside them:
  samples/<n>.json    a config and its parameters, written before it is trained, so that a killed launcher loses none
  winner.json         the best config so far, and the importance of each parameter
"""

import json
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

import optuna
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.trial import BaseTrial, FixedTrial, TrialState, create_trial
from upath import UPath

from search_spaces.tuning import SEARCHES
from study.arguments import spelt
from study.plan import Trial
from study.storage import PRUNED, Storage, create, listed, read_bytes
from wbc_model.errors import Damaged, InputError, validating
from wbc_model.files import sealed, unsealed

OBJECTIVE = "validation_accuracy"
SAMPLES = "samples"


@dataclass(frozen=True)
class SearchSample:
    """A trial that the sampler chose."""

    trial: Trial
    params: dict[str, Any]
    distributions: dict[str, str]


class Search:
    """The samples of one space, their outcomes, and the choice of the next one."""

    def __init__(
        self, name: str, storage: Storage, *, samples: int, overrides: dict[str, Any] | None, seed: int
    ) -> None:
        """
        Args:
            overrides: knobs set for every sample; None: only look at the samples, whatever they were drawn with.

        Raises:
            InputError: no such space, or the storage has samples that were drawn from another or with other settings.
        """
        if name not in SEARCHES:
            raise InputError(f"no search {name}: there are {', '.join(SEARCHES)}")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.name, self.storage, self.samples = name, storage, samples
        self.overrides, self.seed = overrides or {}, seed
        if overrides is not None:
            self._require_alike()
        self.unfinished = [sample.trial for sample in self.known() if not self._ended(sample.trial)]

    def known(self) -> list[SearchSample]:
        """All samples in the order in which they were drawn, without those that are damaged.

        Raises:
            InputError: one that this version cannot read.
        """
        samples = []
        for file in self._files().values():
            with suppress(Damaged):
                samples.append(_read(file))
        return samples

    def _require_alike(self) -> None:
        """
        Raises:
            InputError: a sample is of another seed, space or `--set`, so that its outcome cannot be compared.
        """
        for sample in self.known():
            if other := self._differs(sample):
                raise InputError(
                    f"search {self.name}: the samples in {self.storage.root} were drawn with {other}, and cannot be "
                    "compared with new ones. Give the settings that they have or another --storage, or remove "
                    f"{self.storage.root} to begin anew"
                )

    def _differs(self, sample: SearchSample) -> str:
        """With what a sample was drawn that is not so now; empty if it could be one of this search."""
        if sample.trial.seed != self.seed:
            return f"--seeds {sample.trial.seed}, not {self.seed}"
        kept = self._kept(sample.params)
        if sample.trial.overrides != kept:
            then, now = (" ".join(spelt(each)) or "nothing" for each in (sample.trial.overrides, kept))
            return f"{then} set (--set, --rehearse), now {now}"
        fixed = FixedTrial(sample.params)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Optuna's, of a value out of range: that is what is asked here
                same = SEARCHES[self.name].space(fixed).override(kept) == sample.trial.config
        except ValueError:  # a parameter that it does not have, or a value that is no choice any more
            same = False
        return "" if same and sample.distributions == _drawn(fixed) else "another space in search_spaces/tuning.py"

    def _kept(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The overrides, but for parameters that are sampled."""
        return {knob: value for knob, value in self.overrides.items() if knob not in params}

    def damaged(self) -> dict[UPath, str]:
        """What is wrong with each sample that cannot be read."""
        found = {}
        for file in self._files().values():
            try:
                _read(file)
            except Damaged as error:
                found[file] = str(error)
        return found

    def next(self) -> Trial | None:
        """The next trial: the unfinished ones of earlier launches, then new samples; None once there are enough."""
        if self.unfinished:
            return self.unfinished.pop(0)
        while len(self.known()) < self.samples:
            number = next(n for n in count() if n not in self._files())  # not always the next: one may be lost
            sample = self._draw(number)
            content = {"trial": sample.trial.to_json(), "params": sample.params, "distributions": sample.distributions,
                       "drawing": uuid4().hex}  # fmt: skip  # another launcher may draw an equal one
            try:
                create(self.storage.root / SAMPLES / f"{number}.json", sealed(content))
            except FileExistsError:
                continue  # another launcher of this search took the number
            return sample.trial
        return None

    def _files(self) -> dict[int, UPath]:
        """The files of the samples by number, in order."""
        files = listed(self.storage.root, f"{SAMPLES}/*.json")
        return dict(sorted((int(file.stem), file) for file in files if file.stem.isdecimal()))

    def _epochs(self, trial: Trial) -> list[dict[str, Any]]:
        """The rows of its epochs; none if they are damaged, since it is then trained again."""
        try:
            return self.storage.trial(trial.id).epochs()
        except Damaged:
            return []

    def example(self) -> Trial:
        """A trial from the space, to check its inputs; it is not kept."""
        return self._draw(len(self._files())).trial

    def study(self) -> optuna.Study:
        """An Optuna study of every sample with its outcome, for the sampler, plots and importances."""
        study = optuna.create_study(direction="maximize", study_name=self.name)
        for sample in self.known():
            study.add_trial(self._outcome(sample))
        return study

    def best(self) -> SearchSample | None:
        """The best of the samples that were trained to the last epoch; None if there is none."""
        ended = [(sample, self._outcome(sample)) for sample in self.known()]
        values = [(outcome.value, sample) for sample, outcome in ended if outcome.state is TrialState.COMPLETE]
        return max(values, key=lambda pair: pair[0] or 0)[1] if values else None

    def _draw(self, number: int) -> SearchSample:
        """Each number has its own seed, so that a search that was killed continues as it would have."""
        study = self.study()
        study.sampler = optuna.samplers.TPESampler(seed=(1000 * self.seed + number) % 2**32, constant_liar=True)
        asked = study.ask()
        chosen = SEARCHES[self.name].space(asked)
        kept = self._kept(asked.params)
        return SearchSample(Trial(chosen.override(kept), self.seed, (), kept), asked.params, _drawn(asked))

    def _outcome(self, sample: SearchSample) -> optuna.trial.FrozenTrial:
        files = self.storage.trial(sample.trial.id)
        epochs = {int(row["epoch"]): row[OBJECTIVE] for row in self._epochs(sample.trial)}
        if len(epochs) == sample.trial.config.epochs:
            state, value = TrialState.COMPLETE, max(epochs.values())
        elif files.read(PRUNED) is not None:
            state, value = TrialState.PRUNED, None
        else:
            state, value = (TrialState.FAIL if files.failure() else TrialState.RUNNING), None
        return create_trial(
            state=state,
            value=value,
            params=sample.params,
            distributions={name: json_to_distribution(text) for name, text in sample.distributions.items()},
            intermediate_values=epochs,
        )

    def _ended(self, trial: Trial) -> bool:
        files = self.storage.trial(trial.id)
        return files.read(PRUNED) is not None or len(self._epochs(trial)) == trial.config.epochs

    def conclude(self) -> str:
        """Write `winner.json`; returns lines for the terminal: the winner, as a row of a table, and the importances."""
        sample = self.best()
        if sample is None:
            return "no sample was trained to its last epoch, so there is no winner"
        study = self.study()
        counts = {state: len(study.get_trials(states=[state])) for state in (TrialState.COMPLETE, TrialState.PRUNED)}
        value, weights = study.best_value, _importances(study)
        found = {"config": sample.trial.config.to_json(), "params": sample.params, OBJECTIVE: value,
                 "importances": weights, "samples": len(study.trials)}  # fmt: skip
        self.storage.write("winner.json", sealed(found, indent=1))
        bars = [f"  {name:14} {weight:5.0%} {'█' * round(20 * weight)}" for name, weight in weights.items()]
        return "\n".join([
            f"{counts[TrialState.COMPLETE]} samples trained, {counts[TrialState.PRUNED]} pruned; the best has a "
            f"validation accuracy of {value:.2%}: {json.dumps(sample.params)}",
            *(["importance of each parameter (share of the variance, fANOVA):", *bars] if bars else []),
            "as a row for TUNED in search_spaces/extensions.py:",
            f"    (DATASET, MODEL): TrialConfig.from_json({sample.trial.config.delta()!r}),",
        ])  # fmt: skip


def _drawn(trial: BaseTrial) -> dict[str, str]:
    """The distribution of each parameter, as JSON."""
    return {name: distribution_to_json(each) for name, each in trial.distributions.items()}


def _read(file: UPath) -> SearchSample:
    content = unsealed(read_bytes(file), where=file)
    if not isinstance(content, dict) or not {"trial", "params", "distributions"} <= content.keys():
        raise Damaged(f"{file} is damaged: it is no sample of a search")
    with validating(f"{file}: a sample that this version cannot read"):
        trial = Trial.from_json(content["trial"])
    return SearchSample(trial, content["params"], content["distributions"])


def _importances(study: optuna.Study) -> dict[str, float]:
    """Share of the variance by parameter; empty if there are too few samples, or all are equal."""
    complete = study.get_trials(states=[TrialState.COMPLETE])
    if len(complete) < 4 or len({trial.value for trial in complete}) == 1:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)
