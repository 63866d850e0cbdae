"""A block drawn as text: shapes from a forward pass, activations, and where the shortcut goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from bottleneck_lab.config import ImageSettings, MobileNetV2Settings, RunSettings
from bottleneck_lab.models.activations import activation
from bottleneck_lab.models.block import ConvNorm, InvertedResidual, Sandglass, inner_width
from bottleneck_lab.models.mobilenet_v2 import MobileNetV2

WIDTH = 46  # columns up to the line of the shortcut

_NAMES = {"Identity": "linear", "ReLU": "ReLU", "ReLU6": "ReLU6", "LeakyReLU": "leaky ReLU", "SiLU": "SiLU"}


@dataclass(frozen=True)
class _Row:
    text: str
    shape: str


def draw_block(run: RunSettings) -> str:
    """A block of a run's network, with a shortcut if any has one, top to bottom as in Table 1."""
    if isinstance(run.data, ImageSettings):
        assert isinstance(run.model, MobileNetV2Settings)
        return _draw_image_block(run.model, run.data)
    return _draw_toy_block(run)


def _draw_image_block(settings: MobileNetV2Settings, data: ImageSettings) -> str:
    with torch.device("meta"):
        network = MobileNetV2(settings, data.shape[0], data.classes).eval()
        shapes = _shapes(network, torch.zeros(1, *data.shape))
    index = _typical(network)
    block = cast("InvertedResidual | Sandglass", network.blocks[index])
    steps: tuple[str, ...] = ("expansion", "depthwise", "projection")
    if isinstance(block, Sandglass):
        steps = ("depthwise", "projection", "expansion", "depthwise_out")
    name = f"blocks.{index}"
    if block.inner == 0 and block.stride == 1 and block.inputs == block.outputs:
        return f"{name} is the identity (expansion 0)"
    rows = [_Row("input", shapes[f"{name}.input"])]
    for step in steps:
        layer = getattr(block, step)
        if isinstance(layer, ConvNorm):
            rows.append(_Row(_describe(layer), shapes[f"{name}.{step}"]))
            if step == "expansion" and network.expansions_joined[index]:
                rows.append(_Row("+ previous block's expansion", shapes[f"{name}.{step}"]))
    return f"{name}\n" + _lines(rows, block.has_shortcut, block.output, shapes[f"{name}.output"])


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


def _typical(network: MobileNetV2) -> int:
    """The first block with a shortcut, or else where one would fit; with an expansion if possible."""

    def merit(index: int) -> tuple[bool, bool, bool]:
        block = cast("InvertedResidual | Sandglass", network.blocks[index])
        return (
            block.has_shortcut or network.expansions_joined[index],
            block.stride == 1 and block.inputs == block.outputs,
            isinstance(block.expansion, ConvNorm) and block.inner != block.inputs,
        )

    return max(range(len(network.blocks)), key=merit)


def _shapes(network: MobileNetV2, images: Tensor) -> dict[str, str]:
    """Height x width x channels of every named inner tensor, and of what goes into every block."""
    shapes: dict[str, str] = {}

    def text(tensor: Tensor) -> str:
        _, channels, height, width = tensor.shape
        return f"{height} x {width} x {channels}"

    def watch(name: str) -> None:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if output.dim() == 4:
                shapes[name] = text(output)
                if name.endswith((".expansion", ".depthwise")):
                    shapes.setdefault(name.rpartition(".")[0] + ".input", text(inputs[0]))

        network.get_submodule(name).register_forward_hook(hook)

    for name, _ in network.named_modules():
        if name:
            watch(name)
    with torch.no_grad():
        network(images)
    return shapes


def _describe(layer: ConvNorm) -> str:
    conv = cast(nn.Conv2d, layer.conv)
    kernel = f"{conv.kernel_size[0]}x{conv.kernel_size[1]}"
    kind = "depthwise" if conv.groups == conv.in_channels > 1 else "conv"
    return f"{kernel} {kind}, BN, {_activation(layer.activation)}".removesuffix(", linear")


def _activation(module: object) -> str:
    return _NAMES.get(type(module).__name__, type(module).__name__)


def _lines(rows: list[_Row], shortcut: bool, after: nn.Module, output: str) -> str:
    def line(text: str, shape: str, end: str, fill: str = " ") -> str:
        left = f"    {text:<32}{shape}"
        return f"{left} {fill * (WIDTH + 16 - len(left))}{end}".rstrip()

    first, *rest = rows
    drawn = [line(first.text, first.shape, "┐", "─") if shortcut else line(first.text, first.shape, "")]
    drawn += [line(row.text, row.shape, "│" if shortcut else "") for row in rest]
    if shortcut:
        drawn.append(line("+ input", output, "┘", "─"))
    if not isinstance(after, nn.Identity):
        drawn.append(line(_activation(after), output, ""))
    return "\n".join(drawn)
