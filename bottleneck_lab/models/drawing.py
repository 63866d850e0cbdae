"""A block drawn as text: shapes from a forward pass, activations, and where the shortcut goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bottleneck_lab.activations import KINDS, kind_of, label_of
from bottleneck_lab.config import ImageSettings, RunSettings
from bottleneck_lab.config.settings import ModelSettings
from bottleneck_lab.models import build, refusing_what_was_added
from bottleneck_lab.models.activations import activation, made_of
from bottleneck_lab.models.block import ConvNorm, inner_width

WIDTH = 46  # columns up to the line of the shortcut


@dataclass(frozen=True)
class _Row:
    text: str
    shape: str


def draw_block(run: RunSettings) -> str:
    """A block of a run's network, with a shortcut if any has one, top to bottom as in Table 1."""
    if isinstance(run.data, ImageSettings):
        return _draw_image_block(run.model, run.data)
    return _draw_toy_block(run)


def _draw_image_block(settings: ModelSettings, data: ImageSettings) -> str:
    with (
        refusing_what_was_added(settings, data),
        torch.device("cpu"),
        torch.random.fork_rng(devices=()),
    ):
        network = build(settings, data).eval()
        shapes = _shapes(network, torch.zeros(1, *data.shape))
    blocks = list(network.get_submodule("blocks").children())
    joined = getattr(network, "expansions_joined", [False] * len(blocks))
    index = _typical(blocks, joined)
    block, name = blocks[index], f"blocks.{index}"
    if (names := getattr(block, "STEPS", None)) is None:  # which lists the inner tensors in their order
        return f"{name} is a {type(block).__name__}, which makes {shapes[name]}"
    steps = [step for step in names if not isinstance(getattr(block, step), nn.Identity)]
    if not steps:
        return f"{name} is the identity (expansion 0)"
    rows = [_Row("input", shapes[f"{name}.{steps[0]}.input"])]
    for step in steps:
        shape = shapes[f"{name}.{step}"]
        rows.append(_Row(_describe(block.get_submodule(step)), shape))
        if step == "expansion" and joined[index]:
            rows.append(_Row("+ previous block's expansion", shape))
    after = getattr(block, "output", nn.Identity())
    output = shapes.get(name, rows[-1].shape)  # a block whose parts are called one by one has no own output
    return f"{name}\n" + _lines(rows, bool(block.has_shortcut), after, output)


def _draw_toy_block(run: RunSettings) -> str:
    assert run.model.family == "toy"
    if run.model.expansion == 0:
        return "every block is the identity (expansion 0)"
    settings, width = run.model, f"{run.model.channels}"
    inner = f"{inner_width(settings.channels, settings.expansion)}"
    before = settings.projection_activation if settings.projection_place == "before_add" else "linear"
    after = settings.projection_activation if settings.projection_place == "after_add" else "linear"
    rows = [
        _Row("input", width),
        _Row(f"linear map, {_activation(activation(settings.inner_activation))}", inner),
    ]
    if settings.residual == "expansion":
        rows.append(_Row("+ previous block's expansion", inner))
    projection = f"linear map, {_activation(activation(before))}".removesuffix(", linear")
    rows.append(_Row(projection, width))
    return _lines(rows, settings.residual == "bottleneck", activation(after), width)


def _typical(blocks: Sequence[nn.Module], joined: Sequence[bool]) -> int:
    """The first block with a shortcut, or else where one would fit; with an expansion if possible."""

    def merit(index: int) -> tuple[bool, bool, bool]:
        block: Any = blocks[index]
        if getattr(block, "STEPS", None) is None:
            return False, False, False
        expansion = getattr(block, "expansion", None)
        return (
            bool(block.has_shortcut or joined[index]),
            bool(block.stride == 1 and block.inputs == block.outputs),
            isinstance(expansion, ConvNorm) and block.inner != block.inputs,
        )

    return max(range(len(blocks)), key=merit)


def _shapes(network: nn.Module, images: Tensor) -> dict[str, str]:
    """Height x width x channels of every named tensor, and of what goes into every block (`NAME.input`)."""
    shapes: dict[str, str] = {}

    def text(tensor: Tensor) -> str:
        _, channels, height, width = tensor.shape
        return f"{height} x {width} x {channels}"

    def watch(name: str) -> None:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if output.dim() == 4:
                shapes[name] = text(output)
                shapes[f"{name}.input"] = text(inputs[0])

        network.get_submodule(name).register_forward_hook(hook)

    for name, _ in network.named_modules():
        if name:
            watch(name)
    with torch.no_grad():
        network(images)
    return shapes


def _describe(layer: nn.Module) -> str:
    if not isinstance(layer, ConvNorm):
        return "channel shuffle"
    conv = layer.conv
    kernel = f"{conv.kernel_size[0]}x{conv.kernel_size[1]}"
    kind = "depthwise" if conv.groups == conv.in_channels > 1 else "conv"
    if 1 < conv.groups < conv.in_channels:
        kind = f"conv in {conv.groups} groups"
    return f"{kernel} {kind}, BN, {_activation(layer.get_submodule('activation'))}".removesuffix(", linear")


def _activation(module: nn.Module) -> str:
    setting = made_of(module)
    known = setting is not None and kind_of(setting) in KINDS
    return label_of(setting) if setting is not None and known else type(module).__name__


def _lines(rows: list[_Row], shortcut: bool, after: nn.Module, output: str) -> str:
    def line(text: str, shape: str, end: str, fill: str = " ") -> str:
        left = f"    {text:<31} {shape}"
        return f"{left} {fill * (WIDTH + 16 - len(left))}{end}".rstrip()

    first, *rest = rows
    drawn = [line(first.text, first.shape, "┐", "─") if shortcut else line(first.text, first.shape, "")]
    drawn += [line(row.text, row.shape, "│" if shortcut else "") for row in rest]
    if shortcut:
        drawn.append(line("+ input", output, "┘", "─"))
    if not isinstance(after, nn.Identity):
        drawn.append(line(_activation(after), output, ""))
    return "\n".join(drawn)
