import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from wbc_model.choices import Loss, LrSchedule, MixupPer, Precision, Stain
from wbc_model.config import TrialConfig
from wbc_model.networks.build import build
from wbc_model.preparation.image_set import ImageSet
from wbc_model.training.losses import binary_cross_entropy, soft_cross_entropy
from wbc_model.training.predict import predict, predict_known
from wbc_model.training.train import EpochReport, TrainingError, TrainState, batches, fit

Images = Callable[..., ImageSet]


def train(config: TrialConfig, images: Images, *, seed: int = 0, n: int = 40) -> list[EpochReport]:
    model = build(config, seed=seed)
    return [_frozen(r) for r in fit(model, images(n), images(20, seed=1), config, seed=seed)]


def _frozen(report: EpochReport) -> EpochReport:
    """Reports refer to live weights; a test that keeps them needs copies."""
    return replace(report, state=TrainState(**copy.deepcopy(report.state.to_dict())))


def losses(reports: list[EpochReport]) -> list[float]:
    return [report.train_loss for report in reports]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_learns(tiny: TrialConfig, images: Images):
    reports = train(replace(tiny, epochs=14, mixup_alpha=0), images)
    assert reports[-1].train_loss < reports[0].train_loss / 2
    assert reports[-1].validation.accuracy > 0.7


def test_same_seed_same_everything_and_other_seed_not(tiny: TrialConfig, images: Images):
    first, again, other = train(tiny, images), train(tiny, images), train(tiny, images, seed=1)
    assert losses(first) == losses(again)
    assert same(first[-1].state.model, again[-1].state.model)
    assert losses(first) != losses(other)


@pytest.mark.parametrize(
    ("stop", "knobs"),
    [(1, {}), (2, {}), (1, {"precision": Precision.BF16}), (1, {"stain": Stain.JITTER})],
    ids=["after 1", "after 2", "bf16", "jitter"],
)
def test_resuming_equals_never_stopping(stop: int, knobs: dict, tiny: TrialConfig, images: Images):
    """Bit for bit: weights, optimizer, best epoch, and every figure reported."""
    config = replace(tiny, epochs=3, schedule=LrSchedule.COSINE, **knobs)
    whole = train(config, images)
    state = whole[stop - 1].state
    model = build(config, seed=0)
    rest = [_frozen(r) for r in fit(model, images(40), images(20, seed=1), config, seed=0, resume=state)]
    assert [r.row() | {"seconds": 0} for r in rest] == [r.row() | {"seconds": 0} for r in whole[stop:]]
    assert same(rest[-1].state.model, whole[-1].state.model)
    assert same(rest[-1].state.best_model, whole[-1].state.best_model)
    assert rest[-1].state.best_epoch == whole[-1].state.best_epoch


def test_alpha_0_is_bit_identical_to_no_mixup(tiny: TrialConfig, images: Images, monkeypatch: pytest.MonkeyPatch):
    config = replace(tiny, mixup_alpha=0)
    with_code = losses(train(config, images))
    monkeypatch.delattr("wbc_model.training.steps.mixup")
    monkeypatch.delattr("wbc_model.training.train.draw")
    assert losses(train(config, images)) == with_code


def test_mixup_does_not_shift_the_order_of_the_images():
    order = list(batches(20, batch_size=8, seed=0, epoch=1))
    assert [len(batch) for batch in order] == [8, 8]
    assert len({i for batch in order for i in batch}) == 16
    again = list(batches(20, batch_size=8, seed=0, epoch=1))
    assert all(np.array_equal(a, b) for a, b in zip(order, again, strict=True))
    assert not np.array_equal(order[0], next(batches(20, batch_size=8, seed=0, epoch=2)))


def test_accuracy_under_mixup_is_logged_both_ways(tiny: TrialConfig, images: Images):
    """Arg-max of the soft label can reach 1; weighted by it, the mean stays below E[max(lam, 1 - lam)]."""
    epochs = train(replace(tiny, epochs=12, mixup_alpha=1.0, mixup_per=MixupPer.SAMPLE), images)
    weighted = np.mean([epoch.train_accuracy_weighted for epoch in epochs])
    assert np.mean([epoch.train_accuracy for epoch in epochs]) > weighted + 0.02
    assert epochs[-1].train_accuracy_weighted < 0.85


def test_every_epoch_has_dropout_of_its_own(tiny: TrialConfig, images: Images):
    """Of the units alive in both epochs, not the same are dropped."""
    model, seen = build(tiny, seed=0), []
    model.head[4].register_forward_hook(
        lambda module, x, y: seen.append((x[0] > 0, y == 0)) if module.training else None
    )
    assert len(list(fit(model, images(8), images(8), tiny, seed=0))) == 2
    (alive, dropped), (alive_next, dropped_next) = seen
    both = alive & alive_next
    assert both.sum() > 20
    assert not torch.equal(dropped[both], dropped_next[both])


def test_best_epoch_is_the_earliest_of_the_highest(tiny: TrialConfig, images: Images):
    reports, accuracies, ties = train(replace(tiny, epochs=8), images), [], 0
    for report in reports:
        accuracies.append(report.validation.accuracy)
        best = accuracies.index(max(accuracies))
        ties += accuracies.count(max(accuracies)) > 1
        assert report.state.best_epoch == best
        assert same(report.state.best_model, reports[best].state.model)
    assert ties, "this seed tests nothing"


def test_a_loss_that_is_not_finite_names_epoch_and_step(tiny: TrialConfig, images: Images):
    model = build(tiny, seed=0)
    fitting = fit(model, images(40), images(20), tiny, seed=0)
    next(fitting)
    with torch.no_grad():
        model.head[-1].bias[0] = float("nan")
    with pytest.raises(TrainingError, match=r"the loss is nan in epoch 1, step 0"):
        next(fitting)


def test_fewer_images_than_a_batch_is_an_error(tiny: TrialConfig, images: Images):
    with pytest.raises(TrainingError, match="5 training images are fewer than one batch of 8"):
        train(tiny, images, n=5)


def test_cosine_schedule_falls_and_constant_does_not(tiny: TrialConfig, images: Images):
    rates = {s: [r.lr for r in train(replace(tiny, schedule=s), images)] for s in LrSchedule}
    assert rates[LrSchedule.CONSTANT] == [1e-2, 1e-2]
    assert rates[LrSchedule.COSINE] == pytest.approx([1e-2, 5e-3])


def test_the_trunks_learn_too(tiny: TrialConfig, images: Images):
    before = build(tiny, seed=0).branches["resnet50"].state_dict()
    after = train(replace(tiny, epochs=1), images)[0].state.model
    assert not torch.equal(before["body.conv1.weight"], after["branches.resnet50.body.conv1.weight"])


def test_losses_take_logits_once():
    logits, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([[0.7, 0.3, 0.0]])
    p = logits.softmax(1)
    assert soft_cross_entropy(logits, labels).item() == pytest.approx(-(labels * p.log()).sum().item())
    expected = -(labels * p.log() + (1 - labels) * (1 - p).log()).sum().item()
    assert binary_cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_a_knob(tiny: TrialConfig, images: Images):
    by_loss = {loss: losses(train(replace(tiny, epochs=1, loss=loss), images)) for loss in Loss}
    assert by_loss[Loss.CE] != by_loss[Loss.BCE_EQ3]


def test_evaluation_updates_no_statistics(tiny: TrialConfig, images: Images):
    model = build(tiny, seed=0).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    probabilities = predict(model, images(70))
    assert same(before, model.state_dict())
    assert model.training
    assert probabilities.shape == (70, 5)
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-5)


class Colour(nn.Module):
    """Calls an image by its channel means: logits a test can work out by hand."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def test_the_network_sees_rgb_in_order_and_scale():
    pixels = np.zeros((1, 4, 4, 3), np.uint8)
    pixels[..., 2] = 255
    blue = ImageSet(pixels, np.array([2]), ("blue.png",), ("r", "g", "b"))
    probabilities = predict(Colour(), blue)
    assert probabilities[0].tolist() == pytest.approx(torch.tensor([0.0, 0.0, 1.0]).softmax(0).tolist())
    assert predict_known(Colour(), blue, classes=blue.cells).matrix.counts[2][2] == 1
