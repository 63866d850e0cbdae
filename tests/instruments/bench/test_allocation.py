"""Both meters against chains of tensors whose sizes are known, and against each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bottleneck_lab.config import MobileNetV2Settings
from bottleneck_lab.instruments.bench.allocation import allocator_peak, live_peak
from bottleneck_lab.instruments.bench.split import plain, split
from bottleneck_lab.models import MobileNetV2

METERS = [allocator_peak, live_peak]
KB = 250  # float32 numbers that fill 1000 bytes


def chain(sizes: list[int]) -> None:
    """Tensors of so many kB, each freed when the next is there."""
    last = None
    for size in sizes:
        last = torch.empty(size * KB)
    del last


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_a_chain_needs_its_largest_two_neighbours(sizes: list[int]) -> None:
    expected = max(sum(pair) for pair in zip([0, *sizes], sizes, strict=False))
    for meter in METERS:
        assert meter(partial(chain, sizes)) == 1000 * expected


@pytest.mark.parametrize("meter", METERS)
def test_what_is_kept_is_counted_and_views_and_old_tensors_are_not(
    meter: Callable[[Callable[[], object]], int],
) -> None:
    old = torch.ones(KB)
    kept: list[Tensor] = []

    def call() -> None:
        kept.append(torch.empty(KB))
        old.view(5, 50).t()[2:].add_(old[0])
        kept.append(torch.cat([old, kept[0][:0]]))
        kept.append(kept[0][10:])
        del kept[0]

    assert meter(call) == 2000


@pytest.mark.parametrize("meter", METERS)
def test_a_second_measurement_starts_at_zero(meter: Callable[[Callable[[], object]], int]) -> None:
    assert meter(partial(chain, [9, 9])) == 18_000
    assert meter(partial(chain, [1, 2])) == 3000
    assert meter(lambda: None) == 0


def test_the_meters_agree_on_mobilenet_up_to_what_kernels_need(
    mobilenet: Callable[..., MobileNetV2Settings],
) -> None:
    """In channels-last layout kernels copy next to nothing."""
    network = MobileNetV2(mobilenet()).eval()
    images = torch.randn(1, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    for way in (plain(network), split(network, 3, rows=7)):
        inference = partial(way.to(memory_format=torch.channels_last), images)
        with torch.no_grad():
            given_out, alive = allocator_peak(inference), live_peak(inference)
        assert alive <= given_out <= 1.05 * alive


def test_plain_mobilenet_holds_input_expansion_and_depthwise_of_its_second_block(
    mobilenet: Callable[..., MobileNetV2Settings],
) -> None:
    """Eq. (2)'s depthwise convolution, (112^2 + 56^2) * 96, and the block's input that waits beside it."""
    network = plain(MobileNetV2(mobilenet()).eval())
    images = torch.randn(1, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    assert live_peak(partial(network, images)) == 4 * ((112**2 + 56**2) * 96 + 112**2 * 16)
