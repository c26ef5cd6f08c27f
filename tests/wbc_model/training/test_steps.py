"""Nothing passes between host and device within an epoch, so that a GPU's step can be captured."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from search_spaces.extensions import BACKBONES
from wbc_model.choices import Attention, Init, Loss, LrSchedule, MixupPer, Network, Precision, Stain
from wbc_model.config import TrialConfig
from wbc_model.models import Baseline, Model, TwoBranch
from wbc_model.networks.build import build
from wbc_model.preparation.image_set import ImageSet
from wbc_model.training import stain_jitter
from wbc_model.training.device import choose
from wbc_model.training.mixup import draw
from wbc_model.training.radam import RAdam
from wbc_model.training.steps import StepRunner
from wbc_model.training.train import EpochReport, batches, fit

Images = Callable[..., ImageSet]


class OnMetaAlone(TorchDispatchMode):
    """Fails at an operation that touches a tensor elsewhere. Of a tensor on `meta` no number can be asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [x for x in tree_leaves((args, kwargs, out)) if isinstance(x, Tensor)]
        assert all(x.is_meta for x in tensors), f"{func} reaches from the device to the host, or back"
        self.operations += 1
        return out


MODELS = [Baseline(network, Init.RANDOM) for network in Network] + [
    TwoBranch(resnet=Init.RANDOM, densenet=Init.RANDOM, attention=attention, frozen=attention is Attention.NONE)
    for attention in Attention
]
NEWER = [config.model for config in BACKBONES.values() if str(getattr(config.model, "network", "")).startswith("timm:")]
FEW = [
    model
    if isinstance(model, Baseline) or model.attention in (Attention.NONE, Attention.SCAM)
    else pytest.param(model, marks=pytest.mark.slow)
    for model in MODELS
]
"""One of each kind; the other attention modules in the slow tests."""
FROM_SCRATCH = [pytest.param(replace(model, init=Init.RANDOM), marks=pytest.mark.slow) for model in NEWER]


@pytest.mark.parametrize("model", FEW, ids=lambda m: f"{getattr(m, 'network', '')}{getattr(m, 'attention', '')}")
def test_a_step_neither_asks_the_device_nor_sends_it_anything(model: Model, tiny: TrialConfig, images: Images):
    config = replace(tiny, model=model, image_size=64)
    check_on_meta(config, images)


@pytest.mark.slow
@pytest.mark.parametrize("model", NEWER, ids=lambda m: m.network)
def test_nor_does_a_step_of_a_miniature_of_timm(model: Baseline, tiny: TrialConfig, images: Images):
    check_on_meta(replace(tiny, model=replace(model, init=Init.RANDOM), image_size=64), images)


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("alpha", [0, 0.2])
@pytest.mark.parametrize("stain", [Stain.NONE, Stain.JITTER])
def test_nor_does_one_with_other_knobs(loss: Loss, alpha: float, stain: Stain, tiny: TrialConfig, images: Images):
    check_on_meta(replace(tiny, loss=loss, mixup_alpha=alpha, mixup_per=MixupPer.SAMPLE, stain=stain), images)


def check_on_meta(config: TrialConfig, images: Images) -> None:
    model = build(config, seed=0).to("meta").train()
    params = [p for p in model.parameters() if p.requires_grad]
    train = images(16, side=config.image_size)
    steps = StepRunner(model, train, RAdam(params, lr=0.1), config, device="meta", capture=True)
    order = torch.arange(16).view(2, 8)
    rng = np.random.default_rng(0)
    mixed = [draw(rng, alpha=1, per=config.mixup_per, batch=8) for _ in order]
    lam, partners = (torch.stack(each) for each in zip(*mixed, strict=True))
    mixes = (lam, partners) if config.mixup_alpha else None
    stains = stain_jitter.draw(rng, images=16).view(2, 8, 3, 3) if config.stain is Stain.JITTER else None
    assert steps.epoch(order, mixes, stains).shape == (2, 3)
    with OnMetaAlone() as seen:
        steps._update()
    assert seen.operations > 100


class Tape(TorchDispatchMode):
    """What a CUDA graph is, on a CPU: the operations of a step, done again on the same memory without its Python."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, list[Any]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.namespace != "profiler":
            self.operations.append((func, args, kwargs or {}, tree_leaves(out)))
        return out

    def play(self) -> None:
        for func, args, kwargs, outs in self.operations:
            for there, value in zip(outs, tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(there, Tensor) and there is not value:
                    there.copy_(value)


class Taped(StepRunner):
    """Runs two steps, writes down the third, and plays that from then on."""

    tape: Tape | None = None

    def _next(self) -> None:
        if self.tape is not None:
            with torch.no_grad():
                self.tape.play()
            return
        self.warm_up_steps += 1
        if self.warm_up_steps < 3:
            self._update()
            return
        with Tape() as self.tape:
            self._update()


@pytest.mark.parametrize("model", [None, *MODELS[:5], *FROM_SCRATCH], ids=str)
@pytest.mark.parametrize("precision", [Precision.FP32, pytest.param(Precision.BF16, marks=pytest.mark.slow)])
def test_a_step_that_is_played_back_is_one_that_runs(
    precision: Precision, model: Model | None, tiny: TrialConfig, images: Images, monkeypatch: pytest.MonkeyPatch
):
    """Nothing of a step is done by Python alone, the count of steps and the learning rate included."""
    config = replace(tiny, epochs=3, precision=precision, schedule=LrSchedule.COSINE, mixup_per=MixupPer.SAMPLE)
    config = replace(config, model=model, image_size=64) if model else replace(config, stain=Stain.JITTER)

    def run() -> list[EpochReport]:
        train, validation = images(40, side=config.image_size), images(8, seed=1, side=config.image_size)
        epochs = fit(build(config, seed=0), train, validation, config, seed=0)
        return [replace(report, state=copy.deepcopy(report.state)) for report in epochs]

    expected = run()
    monkeypatch.setattr("wbc_model.training.train.StepRunner", Taped)
    played = run()
    assert [report.train_loss for report in played] == [report.train_loss for report in expected]
    for name, value in played[-1].state.model.items():
        assert torch.equal(value, expected[-1].state.model[name]), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", Precision)
def test_captured_steps_are_those_that_run_kernel_by_kernel(
    precision: Precision, tiny: TrialConfig, images: Images, request: pytest.FixtureRequest
):
    """Bit for bit, dropout included, and through a stop after the first epoch."""
    choose()
    request.addfinalizer(lambda: torch.set_deterministic_debug_mode("default"))
    config = replace(tiny, epochs=3, precision=precision, stain=Stain.JITTER)

    def run(*, capture: bool, resume: Any = None) -> list[EpochReport]:
        train, validation = images(80), images(20, seed=1)
        epochs = fit(build(config, seed=0), train, validation, config, seed=0, device="cuda", capture=capture,
                     resume=resume)  # fmt: skip
        return [replace(report, state=copy.deepcopy(report.state)) for report in epochs]

    expected, captured = run(capture=False), run(capture=True)
    went_on = captured[:1] + run(capture=True, resume=captured[0].state)
    for reports in (captured, went_on):
        assert [report.train_loss for report in reports] == [report.train_loss for report in expected]
        for name, value in reports[-1].state.model.items():
            assert torch.equal(value, expected[-1].state.model[name]), name


def two_parameters() -> list[nn.Parameter]:
    rng = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=rng)) for shape in ((5, 7), (3,))]


def trained(optimizer: torch.optim.Optimizer, params: list[nn.Parameter], *, first: int, steps: int) -> None:
    """Steps numbered from `first`, of gradients that are drawn for each."""
    factors = optimizer.factors(steps) if isinstance(optimizer, RAdam) else None
    for i in range(steps):
        rng = torch.Generator().manual_seed(first + i)
        for p in params:
            p.grad = torch.randn(p.shape, generator=rng)
        if isinstance(optimizer, RAdam):
            optimizer.update(factors[i])
        else:
            optimizer.step()


@pytest.mark.parametrize("steps", [1, 5, 6, 200])
def test_radam_is_that_of_torch(steps: int):
    """Rectification begins with step 6."""
    (ours, theirs) = two_parameters(), two_parameters()
    trained(RAdam(ours, lr=1e-2), ours, first=0, steps=steps)
    trained(torch.optim.RAdam(theirs, lr=1e-2), theirs, first=0, steps=steps)
    for p, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, expected, rtol=1e-6, atol=1e-7)
        assert not torch.equal(p, two_parameters()[0 if p.dim() == 2 else 1])


def test_radam_goes_on_from_its_state_and_from_that_of_torch():
    whole, ours = two_parameters(), two_parameters()
    trained(RAdam(whole, lr=1e-2), whole, first=0, steps=10)
    first = RAdam(ours, lr=1e-2)
    trained(first, ours, first=0, steps=4)
    again = RAdam(ours, lr=1e-2)
    again.load_state_dict(copy.deepcopy(first.state_dict()))
    trained(again, ours, first=4, steps=6)
    assert all(torch.equal(p, expected) for p, expected in zip(ours, whole, strict=True))
    other = RAdam(theirs := two_parameters(), lr=1e-2)
    before = torch.optim.RAdam(theirs, lr=1e-2)
    trained(before, theirs, first=0, steps=4)
    other.load_state_dict(before.state_dict())
    trained(other, theirs, first=4, steps=6)
    for p, expected in zip(theirs, whole, strict=True):
        torch.testing.assert_close(p, expected, rtol=1e-6, atol=1e-7)


def test_the_optimizer_is_radam_as_in_table_3(tiny: TrialConfig, images: Images):
    (report,) = fit(build(tiny, seed=0), images(16), images(8), replace(tiny, epochs=1, lr=1e-5), seed=0)
    (group,) = report.state.optimizer["param_groups"]
    assert (group["lr"], group["betas"], group["eps"]) == (1e-5, (0.9, 0.999), 1e-8)
    assert {state["step"].item() for state in report.state.optimizer["state"].values()} == {2}


def test_each_image_is_seen_once_an_epoch_in_the_order_that_is_drawn(tiny: TrialConfig, images: Images):
    config = replace(tiny, mixup_alpha=0, epochs=1)
    train, model, seen = images(24), build(config, seed=0), []
    model.normalise.register_forward_pre_hook(lambda _, x: seen.append(x[0].clone()) if model.training else None)
    list(fit(model, train, images(8), config, seed=0))
    order = np.concatenate(list(batches(24, batch_size=8, seed=0, epoch=0)))
    expected = torch.from_numpy(train.pixels[order]).permute(0, 3, 1, 2) / 255
    assert torch.equal(torch.cat(seen), expected)
