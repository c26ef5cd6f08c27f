from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from wbc_model.choices import Attention, AttentionAt, Cut, Fuse, Init, Network, Trunks
from wbc_model.config import TrialConfig
from wbc_model.models import Baseline, TwoBranch
from wbc_model.networks.backbones import build_trunk
from wbc_model.networks.build import build
from wbc_model.networks.weights import TrunkSpec, WeightsError, find_weights

TINY_RESNET = TrunkSpec(Network.RESNET50, Trunks.TINY)
TINY_DENSENET = TrunkSpec(Network.DENSENET121, Trunks.TINY)
RANDOM = TwoBranch(resnet=Init.RANDOM, densenet=Init.RANDOM)


def tiny(model: TwoBranch | Baseline, **knobs: object) -> TrialConfig:
    return TrialConfig(model=model, trunks=Trunks.TINY, image_size=64, **knobs)


def parameters(config: TrialConfig) -> float:
    return sum(p.numel() for p in build(config, seed=0).parameters()) / 1e6


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins for ImageNet weights: tiny trunks from a seed that no test uses."""
    folder = tmp_path_factory.mktemp("weights")
    for spec in (TINY_RESNET, TINY_DENSENET):
        state = build_trunk(spec, init=Init.RANDOM, seed=99).body.state_dict()
        save_file(state | {"fc.weight": torch.zeros(10, 3)}, folder / f"{spec.file_stem}.safetensors")
    return folder


@pytest.mark.parametrize(("resnet", "densenet"), [p for p in product([*Init, None], repeat=2) if any(p)])
@pytest.mark.parametrize("attention", Attention)
def test_every_two_branch_model_builds_and_runs(resnet: Init, densenet: Init, attention: Attention, weights: Path):
    config = tiny(TwoBranch(resnet=resnet, densenet=densenet, attention=attention))
    assert build(config, seed=0, weights=weights)(torch.rand(2, 3, 64, 64)).shape == (2, 5)


@pytest.mark.parametrize(
    "change",
    [{"cut": Cut.BLOCK3}, {"fuse": Fuse.CONCAT}, {"attention_at": AttentionAt.EACH_BRANCH}, {"frozen": True}],
)
def test_every_choice_the_paper_leaves_open_runs(change: dict):
    config = tiny(replace(RANDOM, **change), dataset="bccd")
    assert build(config, seed=0)(torch.rand(2, 3, 64, 64)).shape == (2, 4)


@pytest.mark.parametrize("network", Network)
@pytest.mark.parametrize("trunks", Trunks)
def test_every_baseline_builds_and_runs(network: Network, trunks: Trunks):
    config = TrialConfig(model=Baseline(network, Init.RANDOM), trunks=trunks, image_size=96)
    logits = build(config, seed=0).eval()(torch.rand(1, 3, 96, 96))
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (1, 5)


@pytest.mark.parametrize(
    ("model", "millions"),
    [
        (RANDOM, 32.33),
        (replace(RANDOM, densenet=None), 24.86),
        (replace(RANDOM, resnet=None), 7.78),
        (replace(RANDOM, fuse=Fuse.CONCAT), 32.70),
        (Baseline(Network.RESNET50, Init.RANDOM), 23.5),
        (Baseline(Network.DENSENET121, Init.RANDOM), 6.96),
        (Baseline(Network.INCEPTION_V3, Init.RANDOM), 21.8),
    ],
)
def test_parameters_in_millions(model: TwoBranch | Baseline, millions: float):
    assert parameters(TrialConfig(model=model)) == pytest.approx(millions, rel=0.005)


def test_a_missing_branch_leaves_nothing_behind():
    names = [name for name, _ in build(tiny(replace(RANDOM, densenet=None)), seed=0).named_parameters()]
    assert not [name for name in names if "densenet" in name]
    assert [name for name in names if "resnet" in name]


@pytest.mark.parametrize("attention", [a for a in Attention if a is not Attention.SCAM])
def test_attentions_differ_in_nothing_else(attention: Attention):
    mine = build(tiny(replace(RANDOM, attention=attention)), seed=0).state_dict()
    scam = build(tiny(RANDOM), seed=0).state_dict()
    rest = [name for name in scam if not name.startswith("attention.")]
    assert rest == [name for name in mine if not name.startswith("attention.")]
    assert all(torch.equal(mine[name], scam[name]) for name in rest)


def test_a_branch_starts_the_same_whatever_is_beside_it():
    both = build(tiny(RANDOM), seed=0).branches["resnet50"].state_dict()
    alone = build(tiny(replace(RANDOM, densenet=None)), seed=0).branches["resnet50"].state_dict()
    assert all(torch.equal(both[name], alone[name]) for name in both)


def test_transfer_is_per_branch_and_random_is_random(weights: Path):
    def first(resnet: Init, densenet: Init, seed: int = 0) -> list[torch.Tensor]:
        net = build(tiny(TwoBranch(resnet=resnet, densenet=densenet)), seed=seed, weights=weights)
        return [next(net.branches[name].parameters()) for name in ("resnet50", "densenet121")]

    learnt = [build_trunk(s, init=Init.IMAGENET, seed=0, weights=weights) for s in (TINY_RESNET, TINY_DENSENET)]
    trained = [next(trunk.parameters()) for trunk in learnt]
    for resnet, densenet in product(Init, repeat=2):
        got = first(resnet, densenet)
        assert [torch.equal(a, b) for a, b in zip(got, trained, strict=True)] == [
            resnet is Init.IMAGENET,
            densenet is Init.IMAGENET,
        ]
    for a, b in zip(first(Init.RANDOM, Init.RANDOM, seed=1), first(Init.RANDOM, Init.RANDOM, seed=2), strict=True):
        assert not torch.equal(a, b)


def test_missing_weights_are_an_error(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"expected one file tiny_resnet50.safetensors .* found: none"):
        build(tiny(TwoBranch()), seed=0, weights=tmp_path)


def test_weights_that_do_not_fit_are_an_error(tmp_path: Path, weights: Path):
    (tmp_path / "tiny_resnet50.safetensors").write_bytes((weights / "tiny_densenet121.safetensors").read_bytes())
    with pytest.raises(WeightsError, match="does not fit: .* tensors missing"):
        build_trunk(TINY_RESNET, init=Init.IMAGENET, seed=0, weights=tmp_path)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 102441962\n" % 1
DAMAGED = {
    "empty": b"",
    "a pointer of Git LFS": POINTER,
    "a web page": b"<html>404</html>",
    "cut off": None,
    "another pickle": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
}


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "pt"])
@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_weights_are_named(what: str, suffix: str, tmp_path: Path, weights: Path):
    spec = TrunkSpec(Network.RESNET50, Trunks.TINY)
    whole = weights / f"{spec.file_stem}.safetensors"
    file = tmp_path / f"{spec.file_stem}.{suffix}"
    if suffix == "safetensors":
        file.write_bytes(whole.read_bytes())
    else:
        torch.save(load_file(whole), file)
    content = DAMAGED[what]
    file.write_bytes(file.read_bytes()[:20000] if content is None else content)
    with pytest.raises(WeightsError, match=f"{file} is damaged, or no file of weights: it has .*Download it again"):
        build_trunk(spec, init=Init.IMAGENET, seed=0, weights=tmp_path)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("content", [b"", POINTER, b"<html>404</html>"])
def test_damaged_weights_of_timm_are_named(content: bytes, suffix: str, tmp_path: Path):
    spec = TrunkSpec("timm:test_resnet.r160_in1k", image_size=64)
    (file := tmp_path / f"{spec.file_stem}.{suffix}").write_bytes(content)
    with pytest.raises(WeightsError, match=f"{file} is damaged, or no file of weights"):
        build_trunk(spec, init=Init.IMAGENET, seed=0, weights=tmp_path)


def test_weights_whose_content_was_not_fetched_are_named(tmp_path: Path):
    spec = TrunkSpec(Network.RESNET50, Trunks.TINY)
    (file := tmp_path / f"{spec.file_stem}-1.pth").symlink_to("../annex/objects/x")
    with pytest.raises(WeightsError, match=f"{file} is no file, or a link without content"):
        build_trunk(spec, init=Init.IMAGENET, seed=0, weights=tmp_path)


def test_weights_may_be_torch_files(tmp_path: Path, weights: Path):
    state = build_trunk(TINY_DENSENET, init=Init.IMAGENET, seed=0, weights=weights).body.state_dict()
    old = {key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value for key, value in state.items()}
    torch.save(old, tmp_path / "tiny_densenet121-a639ec97.pth")
    loaded = build_trunk(TINY_DENSENET, init=Init.IMAGENET, seed=1, weights=tmp_path).body.state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert find_weights(TINY_DENSENET, tmp_path).origin == "file tiny_densenet121-a639ec97.pth"


def test_frozen_trunks_keep_weights_and_statistics():
    net = build(tiny(replace(RANDOM, frozen=True)), seed=0).train()
    before = {name: value.clone() for name, value in net.branches.state_dict().items()}
    net(torch.rand(4, 3, 64, 64)).sum().backward()
    assert all(torch.equal(before[name], value) for name, value in net.branches.state_dict().items())
    assert all(p.grad is None for p in net.branches.parameters())
    assert all(p.grad is not None for p in net.head.parameters())


def test_dropout_is_before_the_last_layer_alone_and_off_in_evaluation():
    net = build(tiny(RANDOM), seed=0)
    dropouts = [(name, m.p) for name, m in net.named_modules() if isinstance(m, torch.nn.Dropout) and m.p > 0]
    assert dropouts == [("head.4", 0.5)]
    x = torch.rand(2, 3, 64, 64)
    net.eval()
    assert torch.equal(net(x), net(x))


def test_evaluation_of_an_image_does_not_depend_on_its_batch():
    net = build(tiny(RANDOM), seed=0).eval()
    x = torch.rand(4, 3, 64, 64)
    torch.testing.assert_close(net(x)[:1], net(x[:1]))
