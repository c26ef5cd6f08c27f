"""What trials cost, before they run."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from search_spaces.paper import DATASETS, TABLES
from study.costs.cost import Cost, shape
from study.costs.model import Costs, Pool
from study.costs.report import estimate, show
from study.costs.totals import totals
from study.plan import Trial, plan
from study.storage import Storage
from wbc_model.choices import Attention, Init
from wbc_model.config import TrialConfig
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.models import TwoBranch

TRIALS = plan(TABLES)
GPUS, A100 = Pool("H100", cores=32, gpus=4), Pool("A100", cores=32, gpus=4)
COST = Cost(epoch_seconds=36.0, overhead_seconds=0.0, memory=0.1, stored=10**6, checkpoint=10**8, weights=10**7)


def none(_: Trial) -> bool:
    return False


def known(pool: Pool = GPUS, cost: Cost = COST) -> Costs:
    costs = Costs([pool], start=60)
    for trial in TRIALS:
        costs.learn(trial, cost, pool.device)
    return costs


def test_what_does_not_change_the_cost_does_not_change_the_shape():
    base = TrialConfig()
    alike = [replace(base, mixup_alpha=0.4), replace(base, epochs=2), replace(base, lr=1e-3),
             replace(base, model=TwoBranch(attention=Attention.SE, resnet=Init.RANDOM))]  # fmt: skip
    assert {shape(config) for config in alike} == {shape(base)}
    others = [replace(base, dataset=LISC), replace(base, model=TwoBranch(resnet=None)),
              replace(base, image_size=96), replace(base, batch_size=8)]  # fmt: skip
    assert len({shape(config) for config in [base, *others]}) == 5
    assert len(Costs([GPUS]).unknown(TRIALS)) == 26, "six models on four datasets, and two branches alone"


def test_hours_wall_time_and_storage_of_trials_packed_on_gpus():
    """A trial of an hour that takes a tenth of a GPU's memory: nine fit, and eight have cores."""
    found = totals(TRIALS, known(), cpus=1, gpus=None, keeps=none)
    assert found["hours"] == pytest.approx(46 / 8)
    assert found["wall_hours"] == pytest.approx(2 + 60 / 3600), "32 at a time"
    assert found["stored_gb"] == pytest.approx(46e-3 + 32 * 0.1)
    assert found["unknown"] == 0
    kept = totals(TRIALS, known(), cpus=1, gpus=None, keeps=lambda trial: trial.seed == 0)
    assert kept["stored_gb"] - found["stored_gb"] == pytest.approx(46 * 0.01), "a model of 10 MB each"
    assert totals(TRIALS, known(), cpus=4, gpus=None, keeps=none)["hours"] == pytest.approx(46 / 2), "two have cores"
    assert totals(TRIALS, known(), cpus=1, gpus=1, keeps=none)["hours"] == pytest.approx(46)


@pytest.mark.parametrize(("memory", "share"), [(0.0, 1), (0.8, 1), (0.44, 1 / 2), (0.3, 1 / 3)])
def test_the_share_of_a_gpu_follows_from_measured_memory(memory: float, share: float):
    assert known(cost=replace(COST, memory=memory)).gpu_fraction(TRIALS[0], GPUS, cpus=1) == pytest.approx(share)


def test_as_many_share_a_gpu_as_were_measured_to_do_more_together():
    """Nine fit and eight have cores; six together do no more than four."""
    costs = known()
    costs.rates["H100"] = {1: 10, 2: 18, 3: 24, 4: 28, 6: 29}
    assert costs.max_concurrent(TRIALS[0], GPUS, cpus=1) == 8
    assert costs.gpu_fraction(TRIALS[0], GPUS, cpus=1) == pytest.approx(1 / 4)
    assert costs.slowdown(TRIALS[0], GPUS, cpus=1) == pytest.approx(4 * 10 / 28)
    assert costs.gpu_fraction(TRIALS[0], GPUS, cpus=3) == pytest.approx(1 / 2), "two have cores"
    large = known(cost=replace(COST, memory=0.3))
    large.rates = costs.rates
    assert large.gpu_fraction(TRIALS[0], GPUS, cpus=1) == pytest.approx(1 / 3), "three fit"
    assert costs.to_measure(TRIALS[0], GPUS, cpus=1) == [], "more than four gain nothing"
    costs.rates["H100"] = {1: 10, 2: 18}
    assert costs.to_measure(TRIALS[0], GPUS, cpus=1) == [1, 2, 3, 4, 6, 8], "there was less room"
    assert costs.to_measure(TRIALS[0], GPUS, cpus=4) == []
    costs.rates["H100"] = {1: 10, 2: 18, 3: 0}
    assert costs.to_measure(TRIALS[0], GPUS, cpus=1) == [], "three did not fit"
    other = known(A100)
    other.rates = costs.rates
    assert other.to_measure(TRIALS[0], A100, cpus=1) == [1, 2, 3, 4, 6, 8]
    assert other.gpu_fraction(TRIALS[0], A100, cpus=1) == pytest.approx(1 / 8), "measured on another card"
    assert other.slowdown(TRIALS[0], A100, cpus=1) == 1


def test_the_longest_begin_first_after_those_of_unknown_cost():
    """On two GPUs, two trials of an hour and one of two: in the plan's order the last would end after three."""
    first, second, third, fourth = (next(t for t in TRIALS if t.config.dataset is name) for name in DATASETS)
    costs = Costs([Pool("H100", cores=2, gpus=2)])
    for trial in (first, second):
        costs.learn(trial, COST, "H100")
    costs.learn(fourth, replace(COST, epoch_seconds=72.0), "H100")
    assert costs.in_order([first, second, third, fourth]) == [third, fourth, first, second]
    again = replace(fourth, seed=1)
    assert costs.in_order([again, first, second]) == [first, second, again], "the first seed's tables first"
    assert totals([first, second, fourth], costs, cpus=1, gpus=1, keeps=none)["wall_hours"] == pytest.approx(2)


def test_two_kinds_of_gpu_run_what_was_measured_on_them_and_the_faster_one_comes_first():
    """A trial takes an hour on the H100, which two of them share, and three hours on the A100, alone."""
    fast, slow = Pool("H100", cores=2, gpus=1), Pool("A100", cores=1, gpus=1)
    first, second, third, fourth = (next(t for t in TRIALS if t.config.dataset is name) for name in DATASETS)
    costs = Costs([slow, fast], rates={"H100": {1: 10.0, 2: 20.0}})
    for trial in (first, second, third):
        costs.learn(trial, replace(COST, memory=0.4), "H100")
        costs.learn(trial, replace(COST, epoch_seconds=108.0), "A100")
    assert costs.unknown([first, fourth]) == [fourth]
    two = totals([first, second, fourth], costs, cpus=1, gpus=None, keeps=none)
    assert (two["hours"], two["wall_hours"], two["unknown"]) == (pytest.approx(1), pytest.approx(1), 1)
    three = totals([first, second, third], costs, cpus=1, gpus=None, keeps=none)
    assert (three["hours"], three["wall_hours"]) == (pytest.approx(4), pytest.approx(3)), "it takes what is free"
    costs.known["A100"].clear()
    alone = totals([first, second, third], costs, cpus=1, gpus=None, keeps=none)
    assert (alone["hours"], alone["wall_hours"]) == (pytest.approx(1.5), pytest.approx(2)), "not measured on the A100"


def test_the_plan_shows_each_kind_of_gpu():
    costs = known()
    costs.pools.append(A100)
    for trial in TRIALS:
        costs.learn(trial, replace(COST, epoch_seconds=108.0), "A100")
    told = show(estimate(TABLES, TRIALS, set(), costs, cpus=1, gpus=None, gpu_price=None, keeps=none)).splitlines()
    hours = {line[:48].strip(): line.split()[-3:-1] for line in told if line.startswith("All")}
    assert hours == {
        "All, each training once": ["9.25", "3.02"],
        "All, on H100, 4 GPUs alone": ["5.75", "2.02"],
        "All, on A100, 4 GPUs alone": ["17.2", "6.02"],
    }
    assert "(H100, 4 GPUs and A100, 4 GPUs)" in told[-1]


def test_costs_of_a_single_machine_are_read_as_they_were_written_before(tmp_path: Path):
    storage = Storage(str(tmp_path))
    known().write(storage)
    older = json.loads(storage.read("costs.json") or b"")
    older.pop("sha256", None)
    (pool,) = older.pop("pools")
    storage.write("costs.json", json.dumps(older | {"machine": pool | {"start": older.pop("start")}}).encode())
    assert Costs.read(storage) == known()


def test_without_gpus_cores_count():
    found = totals(TRIALS, known(Pool("cpu", cores=2, gpus=0)), cpus=1, gpus=None, keeps=none)
    assert found["hours"] == pytest.approx(46)
    assert found["wall_hours"] == pytest.approx(23 + 60 / 3600)


def test_two_launchers_keep_what_both_learnt(tmp_path: Path):
    storage = Storage(str(tmp_path))
    first, second = Costs([GPUS]), Costs([GPUS])
    first.learn(TRIALS[0], COST, "H100")
    second.learn(TRIALS[-1], COST, "H100")
    first.write(storage)
    second.write(storage)
    third = Costs([GPUS], rates={"H100": {1: 10.0, 2: 18.0}})
    third.write(storage)
    first.write(storage)
    read = Costs.read(storage)
    assert read.rates == {"H100": {1: 10.0, 2: 18.0}}
    assert (read.of(TRIALS[0], "H100"), read.of(TRIALS[-1], "H100"), read.pools) == (COST, COST, [GPUS])


def test_costs_from_before_models_were_kept_tell_their_size_by_that_of_the_checkpoint(tmp_path: Path):
    storage, costs = Storage(str(tmp_path)), Costs([GPUS])
    costs.learn(TRIALS[0], COST, "H100")
    costs.write(storage)
    older = json.loads(storage.read("costs.json") or b"")
    for found in older["known"]["H100"].values():
        del found["weights"]
    older.pop("sha256", None)
    storage.write("costs.json", json.dumps(older).encode())
    assert Costs.read(storage).of(TRIALS[0], "H100") == replace(COST, weights=10**8 // 4)


def test_the_plan_shows_money_and_what_is_not_known():
    told = show(estimate(TABLES, TRIALS, set(), known(), cpus=1, gpus=None, gpu_price=2.0, keeps=none))
    assert told.splitlines()[0].split() == ["rows", "configs", "trials", "finished", "to", "run", "hours", "wall", "h",
                                           "GB", "money"]  # fmt: skip
    assert told.splitlines()[10].split()[-4:] == ["5.75", "2.02", "3.25", "11.50"]
    nothing = show(estimate(TABLES, TRIALS, set(), Costs(), cpus=1, gpus=None, gpu_price=2.0, keeps=none))
    assert "46 trials of unknown cost are not counted: --calibrate" in nothing
    assert "money" not in nothing
