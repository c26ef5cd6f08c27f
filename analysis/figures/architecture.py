"""The network (Fig. 3), drawn from the module itself: it is built and run once to find its layers and sizes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from torch import Tensor, nn

from analysis.figures.style import INK, SOFT, CannotDraw, Drawn, canvas
from analysis.tables.fill import Filled
from wbc_model.choices import Attention, AttentionAt, Fuse, Init, Network
from wbc_model.config import TrialConfig
from wbc_model.models import Baseline, TwoBranch
from wbc_model.networks.attention import ChannelAttention, SpatialAttention
from wbc_model.networks.build import build
from wbc_model.networks.two_branch import TwoBranchNet

NAMES = {Network.RESNET50.value: "ResNet module (RM)", Network.DENSENET121.value: "DenseNet module (DM)"}
TINTS = {"trunk": "#eef1f4", "join": "#ffffff", "attention": "#dbe9f4", "head": "#f6ecd9"}
STEP, BOX, HALF = 0.34, 0.25, 1.45
"""Inches from box to box, a box's height, and half its width."""


@dataclass(frozen=True)
class LayerBox:
    """A layer or block: its name, the shape of its output, (C, H, W) or (C,), and its number of parameters."""

    label: str
    shape: tuple[int, ...]
    parameters: int
    kind: str


@dataclass(frozen=True)
class Parts:
    """The network in the order of computation."""

    branches: dict[str, list[LayerBox]]
    joined: list[LayerBox]
    """Layers after the branches are joined."""
    image: tuple[int, ...]


def figure_3(tables: Mapping[str, Filled]) -> Drawn:
    """The proposed network, as the study's tables configure it."""
    configs = [row.config for filled in tables.values() for row in filled.rows if _is_proposed(row.config.model)]
    if not configs:
        raise CannotDraw("it shows the proposed model, which is in none of the printed tables")
    parts = parts_of(configs[0])
    figure = canvas(STEP * (2.2 + max(map(len, parts.branches.values())) + len(parts.joined)))
    axes = figure.subplots()
    _draw(axes, parts)
    every = [part for branch in parts.branches.values() for part in branch] + parts.joined
    total = sum(part.parameters for part in every)
    return Drawn(
        "3",
        "The proposed network",
        f"Right in each box: channels × height × width of its output. {total / 1e6:.2f} million parameters. "
        "Drawn from the module that is trained.",
        figure,
    )


def _is_proposed(model: TwoBranch | Baseline) -> bool:
    """Whether a model has two branches and SCAM on the fused map, whatever its other settings."""
    both = isinstance(model, TwoBranch) and None not in (model.resnet, model.densenet)
    return both and model.attention is Attention.SCAM and model.attention_at is AttentionAt.FUSED


def parts_of(config: TrialConfig) -> Parts:
    """The layers of a proposed network, with output shapes found by running it on one blank image."""
    assert isinstance(config.model, TwoBranch)
    untrained = replace(config.model, resnet=Init.RANDOM, densenet=Init.RANDOM)
    model = build(replace(config, model=untrained), seed=0)
    assert isinstance(model, TwoBranchNet)
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, _: object, out: Tensor) -> None:
        shapes[module] = tuple(out.shape[1:])

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, config.image_size, config.image_size))
    for hook in hooks:
        hook.remove()

    def part(label: str, modules: list[nn.Module], kind: str) -> LayerBox:
        return LayerBox(label, shapes[modules[-1]], sum(p.numel() for m in modules for p in m.parameters()), kind)

    branches = {}
    for name, trunk in model.branches.items():
        stages = [part(label, modules, "trunk") for label, modules in _stages(trunk.get_submodule("body"))]
        project = model.project[name]
        branches[name] = [*stages, part(_convolution(project), [project], "join")]
    attention = list(model.attention.children()) or [model.attention]
    joined = [LayerBox("Sum" if model.fuse is Fuse.ADD else "Concatenation", shapes[attention[0]], 0, "join")]
    joined += [part(_attention(module), [module], "attention") for module in attention]
    joined += [part(_layer(module), [module], "head") for module in model.head]
    return Parts(branches, joined, (3, config.image_size, config.image_size))


def _stages(body: nn.Module) -> Iterator[tuple[str, list[nn.Module]]]:
    """A trunk's children by label: those before the first block as one stem, then each child that has weights."""
    inside = dict((body.get_submodule("features") if hasattr(body, "features") else body).named_children())
    names = list(inside)
    first = next(i for i, name in enumerate(names) if _is_block(inside[name]))
    yield "stem", [inside[name] for name in names[:first]]
    for name in names[first:]:
        kinds = [type(inner).__name__ for inner in inside[name].children()]
        alike = _is_block(inside[name]) and len(set(kinds)) == 1
        if list(inside[name].parameters()):
            yield f"{name}: {len(kinds)} × {kinds[0]}" if alike else name, [inside[name]]


def _is_block(module: nn.Module) -> bool:
    return not isinstance(module, nn.Conv2d) and any(isinstance(inner, nn.Conv2d) for inner in module.modules())


def _attention(module: nn.Module) -> str:
    if isinstance(module, SpatialAttention):
        high, wide = module.conv.kernel_size
        return f"Spatial attention, {high} × {wide}"
    if isinstance(module, ChannelAttention):
        hidden = next(layer for layer in module.mlp.modules() if isinstance(layer, nn.Conv2d)).out_channels
        return f"Channel attention, {hidden} hidden"
    return type(module).__name__


def _convolution(module: nn.Module) -> str:
    assert isinstance(module, nn.Conv2d)
    high, wide = module.kernel_size
    return f"Convolution {high} × {wide}"


def _layer(module: nn.Module) -> str:
    match module:
        case nn.AdaptiveAvgPool2d():
            return "Global average pooling"
        case nn.Linear():
            return "Fully connected"
        case nn.Dropout():
            return f"Dropout {module.p:g}"
        case _:
            return type(module).__name__


def _draw(axes: Axes, parts: Parts) -> None:
    """Draw the branches side by side from the top, then one column of joined layers. Lengths are in inches."""
    columns = dict(zip(parts.branches, (-1.65, 1.65) if len(parts.branches) > 1 else (0.0,), strict=True))
    meet = -(max(map(len, parts.branches.values())) + 0.9) * STEP
    _box(axes, 0, 0, LayerBox("Image", parts.image, 0, "join"))
    for name, x in columns.items():
        _branch(axes, x, parts.branches[name], name=NAMES[name], end=meet)
    for i, part in enumerate(parts.joined, start=1):
        y = meet - (i + 0.2) * STEP
        _box(axes, 0, y, part)
        _arrow(axes, (0, y + STEP - BOX / 2) if i > 1 else (0, meet - 0.5 * STEP), (0, y + BOX / 2))
    axes.set_xlim(-3.25, 3.25)
    axes.set_ylim(meet - (len(parts.joined) + 1) * STEP, 0.6 * STEP)
    axes.axis("off")


def _branch(axes: Axes, x: float, parts: list[LayerBox], *, name: str, end: float) -> None:
    """Draw one column of boxes below the image, the last at height `end`, and a line to where the branches join."""
    *stages, project = parts
    axes.plot((0, 0, x), (-BOX / 2, -0.5 * STEP, -0.5 * STEP), color=SOFT, lw=0.7)
    axes.text(x - HALF, -1.12 * STEP, name, ha="left", va="center", fontweight="bold", fontsize=7)
    above = -0.5 * STEP
    for i, stage in enumerate(stages):
        y = -(i + 1.9) * STEP
        _box(axes, x, y, stage)
        _arrow(axes, (x, above), (x, y + BOX / 2))
        above = y - BOX / 2
    _box(axes, x, end, project)
    _arrow(axes, (x, above), (x, end + BOX / 2))
    axes.plot((x, x, 0), (end - BOX / 2, end - 0.5 * STEP, end - 0.5 * STEP), color=SOFT, lw=0.7)


def _box(axes: Axes, x: float, y: float, part: LayerBox) -> None:
    axes.add_patch(
        FancyBboxPatch((x - HALF, y - BOX / 2), 2 * HALF, BOX, boxstyle="round,pad=0,rounding_size=0.05",
                       facecolor=TINTS[part.kind], edgecolor=SOFT, linewidth=0.7)
    )  # fmt: skip
    axes.text(x - HALF + 0.08, y, part.label, ha="left", va="center", fontsize=7, color=INK)
    axes.text(x + HALF - 0.08, y, " × ".join(map(str, part.shape)), ha="right", va="center", fontsize=7, color=SOFT)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": SOFT, "lw": 0.7, "shrinkA": 0, "shrinkB": 0,
                                              "mutation_scale": 6})  # fmt: skip
