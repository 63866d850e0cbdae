"""Blocks and networks executed in parts against the ordinary ones (Sec. 5)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bottleneck_lab.config import MobileNetV2Settings
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.bench.allocation import live_peak
from bottleneck_lab.instruments.bench.split import FoldedConv, FusedRows, SplitBlock, plain, split
from bottleneck_lab.models import InvertedResidual, MobileNetV2
from bottleneck_lab.models.block import ConvNorm

LivedIn = Callable[[nn.Module, int], Any]
Settings = Callable[..., MobileNetV2Settings]

PARTS = [1, 2, 3, 4, 5, 6, 100]
activations = st.sampled_from(["leaky_relu", "linear", "relu", "relu6", "silu"])


def images(channels: int, height: int = 9, width: int = 7, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(channels)
    x = torch.randn(batch, channels, height, width, generator=generator, dtype=torch.float64) * 3
    return x.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def assert_as_good(block: InvertedResidual, parts: int, x: Tensor) -> None:
    """Equal to 1e-5 in 32 and 64 bits; in 16, as near to the exact result as the block itself, and a bit."""
    split_block, ordinary = SplitBlock(block, parts)(x).double(), block(x).double()
    exact = block.double()(x.double())
    largest = float(exact.abs().max())
    if x.dtype in (torch.float32, torch.float64):
        torch.testing.assert_close(split_block, ordinary, rtol=1e-5, atol=1e-5 * largest)
    else:
        rounded = float((ordinary - exact).abs().max()) + 2 * torch.finfo(x.dtype).eps * largest
        assert float((split_block - exact).abs().max()) <= 2 * rounded


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("t", [0.5, 1, 6])
@pytest.mark.parametrize("parts", PARTS)
def test_a_split_block_equals_the_block(
    parts: int, t: float, stride: int, dtype: torch.dtype, lived_in: LivedIn
) -> None:
    for outputs in (4, 7):
        block = lived_in(InvertedResidual(4, outputs, stride, t), outputs).to(dtype)
        assert_as_good(block, parts, images(4).to(dtype))


@given(
    inputs=st.integers(1, 6),
    outputs=st.integers(1, 6),
    stride=st.integers(1, 3),
    t=st.sampled_from([0.3, 1, 2, 3.4, 6]),
    kernel=st.sampled_from([1, 3, 5]),
    parts=st.integers(1, 40),
    after=activations,
    place=st.sampled_from(["before_add", "after_add"]),
    inner=activations,
    shortcut=st.booleans(),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    batch=st.integers(1, 2),
    channels_last=st.booleans(),
)
def test_whatever_its_knobs_a_split_block_equals_the_block(
    inputs: int,
    outputs: int,
    stride: int,
    t: float,
    kernel: int,
    parts: int,
    after: Any,
    place: str,
    inner: Any,
    shortcut: bool,
    height: int,
    width: int,
    batch: int,
    channels_last: bool,
    lived_in: LivedIn,
) -> None:
    block = lived_in(
        InvertedResidual(
            inputs,
            outputs,
            stride,
            t,
            kernel=kernel,
            projection_activation=after,
            projection_place=place,
            inner_activation=inner,
            shortcut=shortcut,
        ),
        inputs + outputs,
    )
    x = images(inputs, height, width, batch)
    if not channels_last:
        x = x.contiguous()
    before = x.clone()
    torch.testing.assert_close(SplitBlock(block, parts)(x), block(x))
    assert torch.equal(x, before)  # what is in place is not so in the input


def test_a_split_block_gives_the_same_twice(lived_in: LivedIn) -> None:
    block = SplitBlock(lived_in(InvertedResidual(2, 2, 2), 0), 3)
    x = images(2, 1, 1, 1)
    assert torch.equal(block(x), block(x))


# What it holds


class Widths(TorchDispatchMode):
    """Notes the channels of every image-like tensor that an operator makes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.seen.add(result.shape[1] if result.dim() == 4 else result.shape[-1])
        return result


@given(
    inner=st.integers(20, 64),
    parts=st.integers(1, 70),
    stride=st.sampled_from([1, 2]),
    expands=st.booleans(),
)
def test_a_split_block_never_holds_more_than_a_part_of_its_expansion(
    inner: int, parts: int, stride: int, expands: bool
) -> None:
    ends = 3 if expands else inner
    block = InvertedResidual(ends, 5, stride, inner / 3 if expands else 1).eval()
    assert block.inner == inner
    split_block = SplitBlock(block, parts)
    part = -(-inner // parts)
    height, width = 8, 6
    x = images(ends, height, width, 1).float()
    with torch.no_grad(), Widths() as widths:
        split_block(x)
    if expands:
        assert max(widths.seen) <= max(part, 8)  # rows and columns of the image, seen as pixels, are 8
    out = -(-height // stride) * -(-width // stride)
    # Output, and one part before and after the depthwise convolution; the input is there already.
    whole = 4 * (5 * out + part * out + (part * height * width if expands else 0))
    assert live_peak(partial(split_block, x)) <= whole


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_every_part_is_freed_before_the_next_is_made(layout: torch.memory_format) -> None:
    block = InvertedResidual(16, 24, 2).eval()
    x = torch.randn(1, 16, 112, 112).contiguous(memory_format=layout)
    copied = 0 if layout == torch.channels_last else x.numel()
    for parts in (1, 2, 3, 6):
        expected = 24 * 56**2 + 96 // parts * (112**2 + 56**2) + copied
        assert live_peak(partial(SplitBlock(block, parts), x)) == 4 * expected


# Rows


@given(
    rows=st.integers(1, 12),
    parts=st.integers(1, 4),
    height=st.integers(1, 21),
    width=st.integers(1, 9),
    strides=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    kernel=st.sampled_from([1, 3, 5]),
    batch=st.integers(1, 2),
)
def test_layers_fused_over_rows_equal_the_layers_one_after_another(
    rows: int,
    parts: int,
    height: int,
    width: int,
    strides: list[int],
    kernel: int,
    batch: int,
    lived_in: LivedIn,
) -> None:
    stem = lived_in(ConvNorm(3, 4, kernel, 2, then="relu6"), 1)
    blocks = [lived_in(InvertedResidual(4, 4, stride, 2, kernel=kernel), stride) for stride in strides]
    ordinary = nn.Sequential(stem, *blocks)
    fused = FusedRows([FoldedConv(stem), *(SplitBlock(block, parts) for block in blocks)], rows)
    x = images(3, height, width, batch)
    torch.testing.assert_close(fused(x), ordinary(x))


def test_a_tile_needs_the_rows_of_its_window_and_no_more(lived_in: LivedIn) -> None:
    """Output row i of a 3 x 3 convolution of stride 2 needs rows 2i - 1 to 2i + 1."""
    layer = FoldedConv(lived_in(ConvNorm(1, 1, 3, 2), 0))
    assert layer.window(range(1), 100) == range(2)
    assert layer.window(range(5, 8), 100) == range(9, 16)
    assert layer.window(range(49, 50), 99) == range(97, 99)


# Networks


@pytest.mark.parametrize("rows", [None, 1, 3, 100])
@pytest.mark.parametrize("residual", ["bottleneck", "none"])
@pytest.mark.parametrize("knobs", [{}, {"expansion": 0.0}, {"projection_activation": "relu6", "kernel": 5}])
def test_a_split_network_equals_the_network(
    rows: int | None, residual: str, knobs: dict[str, Any], mobilenet: Settings, lived_in: LivedIn
) -> None:
    network = lived_in(MobileNetV2(mobilenet("mobilenet_v2_small", residual=residual, **knobs), 3, 10), 0)
    x = images(3, 33, 31)
    for fused in (0, 2, 9):
        torch.testing.assert_close(split(network, 3, rows, fused)(x), network(x))
    torch.testing.assert_close(plain(network)(x), network(x))


@pytest.mark.parametrize("parts", [3, 4])
def test_split_in_3_and_over_rows_mobilenet_takes_two_fifths_of_the_memory(
    parts: int, mobilenet: Settings
) -> None:
    network = MobileNetV2(mobilenet()).eval()
    x = torch.randn(1, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    whole = live_peak(partial(plain(network), x))
    assert live_peak(partial(split(network, parts, rows=7), x)) <= 0.4 * whole


def test_channels_alone_leave_the_input_and_output_of_the_first_block(mobilenet: Settings) -> None:
    network = MobileNetV2(mobilenet()).eval()
    x = torch.randn(1, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    for parts in (2, 6, 32):
        assert live_peak(partial(split(network, parts), x)) > 4 * 112**2 * (32 + 16)


# Refusals


def test_what_cannot_be_split_is_refused_in_a_sentence(mobilenet: Settings) -> None:
    network = MobileNetV2(mobilenet("mobilenet_v2_small"))
    for act, reason in (
        (lambda: split(network, 2), r"call eval\(\)"),
        (lambda: SplitBlock(network.blocks[1], 2), r"call eval\(\)"),
        (lambda: split(network.eval(), 0), "1 part or more"),
        (lambda: split(network.eval(), 2, rows=0), "1 row or more"),
        (lambda: split(network.eval(), 2, rows=2, fused=99), "has 11 blocks"),
        (lambda: SplitBlock(InvertedResidual(4, 4, 1, 0).eval(), 2), "no inner channels"),
    ):
        with pytest.raises(LabError, match=reason):
            act()
    block = InvertedResidual(4, 4).eval()
    block.output = nn.Softmax(1)  # as an activation that was added could do
    with pytest.raises(LabError, match="Softmax: an activation that may join channels"):
        SplitBlock(block, 2)
    for residual, reason in (("expansion", "residual = expansion"), ("sandglass", "Sandglass: only")):
        with pytest.raises(LabError, match=reason):
            split(MobileNetV2(mobilenet("mobilenet_v2_small", residual=residual)).eval(), 2)
