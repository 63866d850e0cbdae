"""The block and the network as they are described: Sections 3.1 and 3.3, Tables 1 and 2."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import torch
from torch import nn

from bottleneck_lab.instruments.paper.networks import Network, Shapes, build, cost, shapes, text
from bottleneck_lab.instruments.paper.published import published
from bottleneck_lab.instruments.paper.row import Agreement, Row, same
from bottleneck_lab.models import InvertedResidual, MobileNetV2, madds
from bottleneck_lab.models.block import ConvNorm

SEPARABLE, BLOCK_COST, TABLE_1, TABLE_2 = "Section 3.1", "Section 3.3", "Table 1", "Table 2"
CAPTIONS = {
    SEPARABLE: "how much cheaper a separable convolution is, measured",
    BLOCK_COST: "MAdds of a block of stride 1, h w d' t (d' + k^2 + d'')",
    TABLE_1: "the block, as blocks.13: h = w = 14, k = 96, k' = 160, t = 6, s = 2",
    TABLE_2: "input, t, c, n, s of each row",
}

_ACTIVATIONS: dict[type, str] = {nn.ReLU6: "ReLU6", nn.ReLU: "ReLU", nn.Identity: "linear"}


def separable_saving() -> list[Row]:
    """Footnote 1, k^2 d / (k^2 + d), against the MAdds of MobileNetV2's own layers and of dense ones."""
    network = build("mobilenet_v2")
    seen = shapes(network)
    measured: dict[int, Fraction] = {}
    for name, block in _blocks(network):
        height, width, inner = seen[f"{name}.depthwise"].input
        with torch.device("meta"):
            dense = ConvNorm(inner, block.outputs, block.kernel, block.stride)
        separable = nn.Sequential(block.depthwise, block.projection)
        costs = (madds(layer, 1, inner, height, width) for layer in (dense, separable))
        measured[block.outputs] = Fraction(*costs)
    rows = []
    for d, saving in measured.items():
        formula = Fraction(9 * d, 9 + d)
        agrees: Agreement = "agrees" if saving == formula else "differs"
        row = f"k^2 d / (k^2 + d), k = 3, d = {d}"
        rows.append(Row(SEPARABLE, row, f"{float(formula):.3f}", f"{float(saving):.3f}", agrees))
    low, high = published()["text"]["separable_saving"]
    from_here = next(d for d in itertools.count(1) if 9 * d >= int(low) * (9 + d))
    least, most = (float(pick(measured.values())) for pick in (min, max))
    rows.append(
        same(
            SEPARABLE,
            "times cheaper, over the widths of Table 2",
            f"{low} to {high}",
            f"{least:.1f} to {most:.1f}",
            f"{low} times needs d >= {from_here} channels; most bottlenecks are narrower.",
        )
    )
    return rows


def block_cost() -> list[Row]:
    """The formula of Sec. 3.3 against the MAdds of every block of stride 1, equal ones once."""
    network = build("mobilenet_v2")
    seen = shapes(network)
    rows = {}
    for name, block in _blocks(network):
        if block.stride > 1:
            continue
        h, w, d = seen[name].input
        t = block.inner // block.inputs
        formula = h * w * d * t * (d + block.kernel**2 + block.outputs)
        row = f"{text((h, w, d))} to {block.outputs}, t = {t}"
        note = "The formula has the 1x1 convolution that the network leaves out where t = 1 (see Table 1)."
        rows[row] = same(BLOCK_COST, row, f"{formula:,}", f"{madds(block, 1, d, h, w):,}", note)
    return list(rows.values())


def table_1() -> list[Row]:
    """The block's operators and shapes, from a forward pass; a row agrees if it does for all 16 blocks."""
    network = build("mobilenet_v2")
    seen = shapes(network)
    first, *expanding = _blocks(network)
    by_block = {name: _rows_of_block(name, block, seen) for name, block in expanding}
    rows = [
        next((row for row in of_all_blocks if row.agrees == "differs"), example)
        for example, *of_all_blocks in zip(by_block["blocks.13"], *by_block.values(), strict=True)
    ]
    name, block = first
    with torch.device("meta"):
        missing = ConvNorm(block.inputs, block.inputs)
    height, width, _ = seen[name].input
    with_it = cost(network) + madds(missing, 1, block.inputs, height, width)
    rows.append(
        same(
            TABLE_1,
            "expansion where t = 1",
            published()["table_1"][0]["operator"],
            _operator(block.expansion),
            "Where t = 1 the official code leaves this 1x1 convolution out. With it the network would cost "
            f"{with_it / 1e6:.1f}M MAdds, not 300M.",
        )
    )
    return rows


def _rows_of_block(name: str, block: InvertedResidual, seen: dict[str, Shapes]) -> list[Row]:
    symbols, rows = _symbols(block, seen[name]), []
    for printed in published()["table_1"]:
        layer = printed["layer"]
        operator = printed["operator"].replace("s=s", f"s={block.stride}")
        rows.append(same(TABLE_1, layer, operator, _operator(getattr(block, layer))))
        for side in ("input", "output"):
            paper = text(tuple(symbols[symbol] for symbol in printed[side]))
            rows.append(
                same(TABLE_1, f"{layer}, {side}", paper, text(getattr(seen[f"{name}.{layer}"], side)))
            )
    return rows


def _symbols(block: InvertedResidual, seen: Shapes) -> dict[str, int]:
    height, width, k = seen.input
    s, t = block.stride, block.inner // block.inputs
    return {
        "h": height,
        "w": width,
        "h/s": height // s,
        "w/s": width // s,
        "k": k,
        "tk": t * k,
        "k'": block.outputs,
    }


def _operator(layer: nn.Module) -> str:
    """A layer in the words of Table 1."""
    if not isinstance(layer, ConvNorm):
        return "none"
    conv, then = layer.conv, _ACTIVATIONS[type(layer.activation)]
    kernel = f"{conv.kernel_size[0]}x{conv.kernel_size[1]}"
    kind = f"{kernel} dwise s={conv.stride[0]}" if conv.groups > 1 else f"{kernel} conv2d"
    return f"linear {kind}" if then == "linear" else f"{kind}, {then}"


def table_2() -> list[Row]:
    """The rows of Table 2, from the built network and the shapes of a forward pass."""
    lines = zip(published()["table_2"]["rows"], _rows_of_table_2(), strict=True)
    rows = []
    for number, (paper, ours) in enumerate(lines, start=1):
        # The operator names the line; where it differs it has to be shown.
        sides = [", ".join(line if paper[1] != ours[1] else (line[0], *line[2:])) for line in (paper, ours)]
        rows.append(same(TABLE_2, f"{number}, {paper[1]}", *sides))
    return rows


def _rows_of_table_2() -> Iterator[tuple[str, ...]]:
    network = cast(MobileNetV2, build("mobilenet_v2"))
    seen = shapes(network)
    stem, head = (layer.conv for layer in (network.stem, network.head))
    yield text(seen["stem"].input), "conv2d", "-", str(stem.out_channels), "1", str(stem.stride[0])
    for _, group in itertools.groupby(_blocks(network), key=lambda named: named[1].outputs):
        (name, block), *rest = group
        t, n = block.inner // block.inputs, 1 + len(rest)
        shape = text(seen[name].input)
        yield shape, "bottleneck", str(t), str(block.outputs), str(n), str(block.stride)
    kernel, pooled = f"{head.kernel_size[0]}x{head.kernel_size[1]}", seen["head"].output
    yield text(seen["head"].input), f"conv2d {kernel}", "-", str(head.out_channels), "1", str(head.stride[0])
    yield text(pooled), f"avgpool {pooled[0]}x{pooled[1]}", "-", "-", "1", "-"
    yield text((1, 1, network.classifier.in_features)), "conv2d 1x1", "-", "k", "-", "-"


def _blocks(network: Network) -> list[tuple[str, InvertedResidual]]:
    """MobileNetV2's blocks with their names."""
    return [(f"blocks.{index}", cast(InvertedResidual, block)) for index, block in enumerate(network.blocks)]
