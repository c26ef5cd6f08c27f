"""How many trials share a GPU, by measurement. The processes are real; without a GPU they train on the CPU."""

from dataclasses import replace
from pathlib import Path

import pytest

from study.costs.model import worthwhile_counts
from study.costs.packing import measure
from study.plan import Trial
from study.settings import Settings
from wbc_model.choices import Init
from wbc_model.config import TrialConfig
from wbc_model.models import Baseline

Where = tuple[Trial, Settings]


@pytest.fixture
def where(drawn: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Where:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    config = TrialConfig(model=Baseline("resnet50", Init.IMAGENET), dataset="lisc", images="drawn", trunks="tiny",
                         image_size=32, augmentation="none", batch_size=8)  # fmt: skip
    settings = Settings(data=drawn, storage=str(tmp_path / "runs"), cache=tmp_path / "cache", weights=weights)
    return Trial(config, seed=0, tables=()), settings


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({}, []),
        ({1: 10}, [1]),
        ({1: 10, 2: 18, 3: 18.5, 4: 30}, [1, 2, 4]),
        ({1: 10, 2: 9, 4: 10.4}, [1]),
        ({1: 10, 2: 18, 3: 0}, [1, 2]),
    ],
)
def test_of_use_is_what_does_more_together(rates: dict[int, float], expected: list[int]):
    assert list(worthwhile_counts(rates)) == expected


@pytest.mark.slow
def test_processes_side_by_side_are_measured_in_a_worker_of_ray(where: Where):
    import ray

    from study.ray_backend.driver import pack

    ray.init(num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    try:
        rates = pack(*where, [1, 2], names=[ray.get_runtime_context().get_node_id()])
    finally:
        ray.shutdown()
    assert list(rates) == [1, 2]
    assert all(rate > 0 for rate in rates.values())


@pytest.mark.slow
def test_one_that_cannot_go_on_ends_all_with_its_error(where: Where):
    trial, settings = where
    with pytest.raises(
        RuntimeError, match="resnet50.* cannot train on the device it would run on: WeightsError: expected one file"
    ):
        measure(trial, replace(settings, weights=settings.cache), [2], seconds=1)
