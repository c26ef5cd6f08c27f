"""Hyper-parameter search spaces, which `study/run.py --search NAME` samples. Loads optuna, no torch.

A space is a function from an Optuna trial to a config, so a knob that depends on another one (how the maps of CAM and
SAM are combined, only with parallel attention) is an `if`. The objective is always validation accuracy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from optuna.trial import BaseTrial

from search_spaces.paper import DATASETS, MODELS
from wbc_model.choices import Attention, AttentionAt, LrSchedule, ParallelBy
from wbc_model.config import TrialConfig
from wbc_model.datasets.dataset import Dataset
from wbc_model.models import TwoBranch


@dataclass(frozen=True)
class SearchSpace:
    """A title, and the function that samples a config."""

    title: str
    space: Callable[[BaseTrial], TrialConfig]


def training(trial: BaseTrial, base: TrialConfig) -> TrialConfig:
    """Sample the knobs of training, which are the same for all networks, so that all are tuned alike."""
    return replace(
        base,
        lr=trial.suggest_float("lr", 1e-6, 1e-3, log=True),
        schedule=LrSchedule(trial.suggest_categorical("schedule", [str(s) for s in LrSchedule])),
        dropout=round(trial.suggest_float("dropout", 0.0, 0.7, step=0.1), 1),
        mixup_alpha=round(trial.suggest_float("mixup_alpha", 0.0, 1.0, step=0.1), 1),
    )


def architecture(trial: BaseTrial) -> TrialConfig:
    """Sample the attention of the proposed network, and its training."""
    attention = Attention(trial.suggest_categorical("attention", [str(a) for a in Attention]))
    model = TwoBranch(attention=attention)
    if attention is not Attention.NONE:
        model = replace(model, attention_at=AttentionAt(trial.suggest_categorical("at", [str(a) for a in AttentionAt])))
    if attention is Attention.PARALLEL:
        by = ParallelBy(trial.suggest_categorical("parallel_by", [str(by) for by in ParallelBy]))
        model = replace(model, parallel_by=by)
    return training(trial, TrialConfig(model=model))


def tune(label: str, dataset: Dataset) -> SearchSpace:
    """The search space for the training of a compared model on a dataset."""
    base = TrialConfig(model=MODELS[label], dataset=dataset)
    return SearchSpace(f"Training of {label} on {dataset}", lambda trial: training(trial, base))


SEARCHES: Mapping[str, SearchSpace] = {
    "architecture": SearchSpace("Attention and training of the proposed model", architecture),
    **{
        f"{label.lower().replace(' ', '_')}_{dataset}": tune(label, dataset) for label in MODELS for dataset in DATASETS
    },
}
"""The spaces of the compared models have the same knobs: with equal `--samples`, all models are tuned equally well."""
