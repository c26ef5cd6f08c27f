import pytest
import torch

from wbc_model.choices import Attention, ParallelBy
from wbc_model.networks.attention import ATTENTIONS, ChannelAttention, ParallelAttention, SpatialAttention, csam, scam

PARAMETERS = {  # at 512 channels; dossier of the paper: SE and CAM 2 C^2 / 16, ECA a kernel of 5, SAM 2 x 7 x 7
    Attention.NONE: 0,
    Attention.SE: 32768,
    Attention.ECA: 5,
    Attention.CHANNEL: 32768,
    Attention.SPATIAL: 98,
    Attention.PARALLEL: 32866,
    Attention.CSAM: 32866,
    Attention.SCAM: 32866,
}


@pytest.fixture
def x() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 64, 7, 7, requires_grad=True)


@pytest.mark.parametrize("attention", Attention)
def test_contract(attention: Attention, x: torch.Tensor):
    """Shape kept; every input reached; all but NONE change it, and only shrink it."""
    torch.manual_seed(1)
    y = ATTENTIONS[attention](64)(x)
    y.square().sum().backward()
    assert y.shape == x.shape
    assert x.grad is not None
    assert x.grad.abs().min() > 0
    assert torch.equal(y, x) == (attention is Attention.NONE)
    assert (y.abs() <= x.abs()).all()


@pytest.mark.parametrize("attention", PARAMETERS)
def test_parameters(attention: Attention):
    assert sum(p.numel() for p in ATTENTIONS[attention](512).parameters()) == PARAMETERS[attention]


@pytest.mark.parametrize(("channels", "kernel"), [(512, 5), (1024, 5), (2048, 7)])
def test_eca_kernel_grows_with_the_channels(channels: int, kernel: int):
    assert ATTENTIONS[Attention.ECA](channels).conv.kernel_size == (kernel,)


def test_scam_is_spatial_first_and_csam_channel_first(x: torch.Tensor):
    channel, spatial = ChannelAttention(64), SpatialAttention(64)
    first, second = scam(64), csam(64)
    first[0].load_state_dict(spatial.state_dict()), first[1].load_state_dict(channel.state_dict())
    second[0].load_state_dict(channel.state_dict()), second[1].load_state_dict(spatial.state_dict())
    assert torch.equal(first(x), channel(spatial(x)))
    assert torch.equal(second(x), spatial(channel(x)))
    assert not torch.allclose(first(x), second(x))


@pytest.mark.parametrize("by", ParallelBy)
def test_parallel_reads_the_raw_input_for_both_maps(by: ParallelBy, x: torch.Tensor):
    module = ParallelAttention(64, by=by)
    channel, spatial = module.channel.logits(x), module.spatial.logits(x)
    expected = {
        ParallelBy.PRODUCT: x * channel.sigmoid() * spatial.sigmoid(),
        ParallelBy.LOGIT_SUM: x * (channel + spatial).sigmoid(),
        ParallelBy.FEATURE_SUM: x * channel.sigmoid() + x * spatial.sigmoid(),
    }[by]
    assert torch.equal(module(x), expected)


def test_parallel_equals_scam_when_the_channel_map_is_constant(x: torch.Tensor):
    parallel, chain = ParallelAttention(64), scam(64)
    chain[0].load_state_dict(parallel.spatial.state_dict())
    for mlp in (parallel.channel.mlp, chain[1].mlp):
        torch.nn.init.zeros_(mlp[2].weight)
    torch.testing.assert_close(parallel(x), chain(x))


def test_spatial_map_depends_on_position(x: torch.Tensor):
    """Zero padding: a constant input has no constant map."""
    logits = SpatialAttention(64).logits(torch.ones_like(x))
    assert logits[0, 0].std() > 0
