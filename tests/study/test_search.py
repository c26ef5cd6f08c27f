"""What Optuna chooses, and what is remembered of it."""

from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import FixedTrial

from search_spaces.tuning import SEARCHES, SearchSpace, architecture
from study.plan import Trial
from study.scheduling.failures import Failure
from study.search import Search
from study.storage import PRUNED, Storage
from wbc_model.choices import AttentionAt, ParallelBy
from wbc_model.config import TrialConfig
from wbc_model.errors import InputError
from wbc_model.models import TwoBranch


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path))


def search_in(storage: Storage, *, samples: int = 8, seed: int = 0) -> Search:
    return Search("architecture", storage, samples=samples, overrides={"epochs": 2}, seed=seed)


def train(storage: Storage, trial: Trial, *, epochs: int = 2) -> None:
    """As if: a learning rate near 1e-4 is best."""
    value = 1 / (1 + abs(trial.config.lr - 1e-4) * 1e4)
    rows = [{"epoch": epoch, "validation_accuracy": value * (epoch + 1) / 2} for epoch in range(epochs)]
    storage.trial(trial.id).write_epochs(rows)


def all_of(storage: Storage, **arguments: int) -> list[Trial]:
    search, drawn = search_in(storage, **arguments), []
    while trial := search.next():
        train(storage, trial)
        drawn.append(trial)
    return drawn


def test_it_draws_as_many_as_asked_for_and_more_when_asked_again(storage: Storage):
    assert len(all_of(storage)) == 8
    assert search_in(storage).next() is None
    assert len(all_of(storage, samples=10)) == 2
    assert {trial.config.epochs for trial in (sample.trial for sample in search_in(storage).known())} == {2}


def test_a_search_that_was_killed_goes_on_as_it_would_have(tmp_path: Path):
    whole = all_of(Storage(str(tmp_path / "whole")))
    storage = Storage(str(tmp_path / "killed"))
    killed = search_in(storage)
    for _ in range(3):
        trial = killed.next()
        assert trial
        train(storage, trial)
    lost = killed.next()  # and dies with it
    assert all_of(storage) == [lost, *whole[4:]]
    assert [sample.trial for sample in search_in(storage).known()] == whole


def test_another_seed_draws_others(tmp_path: Path):
    first, second = (all_of(Storage(str(tmp_path / str(seed))), seed=seed) for seed in (0, 1))
    assert not {trial.config for trial in first} & {trial.config for trial in second}


OTHERS = {
    "seed": ({"seed": 1}, "--seeds 0, not 1"),
    "epochs": ({"overrides": {"epochs": 3}}, "epochs=2 set .--set, --rehearse., now epochs=3"),
    "no epochs": ({"overrides": {}}, "epochs=2 set .--set, --rehearse., now nothing"),
    "image size": ({"overrides": {"epochs": 2, "image_size": 32}}, "now epochs=2 image_size=32"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_samples_of_other_settings_are_refused(what: str, storage: Storage):
    all_of(storage, samples=2)
    arguments, told = OTHERS[what]
    with pytest.raises(InputError, match=f"{told}.*or remove {storage.root}"):
        Search("architecture", storage, **{"samples": 4, "overrides": {"epochs": 2}, "seed": 0} | arguments)


SPACES = {
    "another range": lambda t: replace(architecture(t), lr=t.suggest_float("lr", 1e-5, 1e-1, log=True)),
    "another kind": lambda t: TrialConfig(lr=t.suggest_categorical("lr", [1e-5, 1e-4])),
    "fewer choices": lambda t: TrialConfig(model=TwoBranch(attention=t.suggest_categorical("attention", ["none"]))),
    "another base": lambda t: replace(architecture(t), batch_size=7),
    "one more": lambda t: replace(architecture(t), batch_size=t.suggest_int("batch_size", 4, 8)),
}


@pytest.mark.parametrize("what", SPACES)
def test_samples_of_a_space_that_has_changed_are_refused(what: str, storage: Storage, monkeypatch):
    all_of(storage, samples=3)
    monkeypatch.setitem(SEARCHES, "architecture", SearchSpace("", SPACES[what]))
    with pytest.raises(InputError, match=f"another space in search_spaces/tuning.py.*or remove {storage.root}"):
        search_in(storage)


def test_the_winner_is_the_best_of_those_trained_to_their_end(storage: Storage):
    drawn = all_of(storage)
    best = min(drawn[1:], key=lambda trial: abs(trial.config.lr - 1e-4))
    files = storage.trial(drawn[0].id)
    files.write_epochs([{"epoch": 0, "validation_accuracy": 1.0}])
    files.write(PRUNED, b"{}")
    told = search_in(storage).conclude()
    assert "7 samples trained, 1 pruned" in told
    winner = search_in(storage).best()
    assert winner
    assert winner.trial == best
    (row,) = [line for line in told.splitlines() if "TrialConfig.from_json" in line]
    assert eval(row.partition("): ")[2].rstrip(","), {"TrialConfig": TrialConfig}) == best.config


def test_a_failed_sample_is_tried_again_by_the_next_launch(storage: Storage):
    trial = search_in(storage).next()
    assert trial
    storage.trial(trial.id).write_failure(Failure.lost("a node", epochs=0))
    assert search_in(storage).next() == trial


def test_what_matters_is_found(storage: Storage):
    all_of(storage, samples=25)
    told = search_in(storage, samples=25).conclude()
    first = told.splitlines()[2].split()
    assert first[0] == "lr", told


def test_choices_that_lead_to_others_and_those_that_do_not():
    training = {"lr": 1e-4, "schedule": "constant", "dropout": 0.5, "mixup_alpha": 0.2}
    none = architecture(FixedTrial({"attention": "none"} | training))
    assert none.model == TwoBranch(attention="none")  # pyrefly: ignore[bad-argument-type]
    both = architecture(
        FixedTrial({"attention": "parallel", "at": "each_branch", "parallel_by": "logit_sum"} | training)
    )
    assert isinstance(both.model, TwoBranch)
    assert (both.model.attention_at, both.model.parallel_by) == (AttentionAt.EACH_BRANCH, ParallelBy.LOGIT_SUM)


def test_every_compared_model_has_a_space_of_equal_size_on_every_dataset():
    spaces = {}
    for name in SEARCHES.keys() - {"architecture"}:
        trial = FixedTrial({"lr": 1e-4, "schedule": "constant", "dropout": 0.5, "mixup_alpha": 0.2})
        SEARCHES[name].space(trial)
        spaces[name] = frozenset(trial.distributions.items())
    assert len(spaces) == 24
    assert len(set(map(str, map(sorted, ((str(d) for d in space) for space in spaces.values()))))) == 1


def test_no_such_search(storage: Storage):
    with pytest.raises(InputError, match="no search nothing: there are architecture, resnet_ldwbc"):
        Search("nothing", storage, samples=1, overrides={}, seed=0)
