from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from bottleneck_lab.config import MobileNetV2Settings
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.bench.measure import (
    AS_BUILT,
    CHANNELS,
    CHANNELS_AND_ROWS,
    PLAIN,
    Spread,
    interleaved,
    measure_networks,
    measure_split,
)

Settings = Callable[..., MobileNetV2Settings]


def test_a_round_is_every_call_once_and_the_first_is_not_counted() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = interleaved(calls, 2)  # type: ignore[arg-type]
    assert order == ["a", "b", "c"] * 3
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2, "c": 2}


def test_the_spread_is_median_and_quartiles() -> None:
    assert Spread.of([5, 1, 2, 4, 3]) == Spread(median=3, low=2, high=4)


def test_every_network_is_measured_at_every_resolution_and_batch_size(
    mobilenet: Settings,
) -> None:
    settings = [mobilenet("mobilenet_v2_small", width_multiplier=width) for width in (0.5, 1.0)]
    costs = measure_networks(settings, [32, 16], [1, 2], rounds=1)
    places = [(cost.name, cost.width, cost.resolution, cost.batch) for cost in costs]
    assert places == [
        ("mobilenet_v2_small", width, resolution, batch)
        for width in (0.5, 1.0)
        for resolution in (32, 16)
        for batch in (1, 2)
    ]
    assert all(cost.seconds.low > 0 for cost in costs)
    for one, two in zip(costs[::2], costs[1::2], strict=True):
        assert one.madds == two.madds
        assert two.allocator_bytes > 1.5 * one.allocator_bytes


def test_costs_are_those_of_the_network_itself(mobilenet: Settings) -> None:
    """Table 2 at 224 x 224: 300,774,272 MAdds and 3,504,872 parameters with 1000 classes."""
    (cost,) = measure_networks([mobilenet()], [224], [1], rounds=1)
    assert (cost.madds, cost.parameters) == (300_774_272, 3_504_872)


def test_a_split_network_is_measured_beside_itself(mobilenet: Settings) -> None:
    costs = measure_split(mobilenet(), 224, 1, [1, 3], rows=7, fused=2, rounds=1)
    by_way = {(cost.way, cost.parts): cost for cost in costs}
    assert list(by_way) == [
        (AS_BUILT, None),
        (PLAIN, None),
        *((CHANNELS, parts) for parts in (1, 3)),
        *((CHANNELS_AND_ROWS, parts) for parts in (1, 3)),
    ]
    assert all(cost.error < 1e-5 for cost in costs)
    assert all(cost.live_bytes <= cost.allocator_bytes for cost in costs)
    assert by_way[PLAIN, None].times_plain == Spread(1, 1, 1)
    assert by_way[PLAIN, None].equation_bytes == 4 * (112**2 + 56**2) * 96
    assert by_way[CHANNELS, 3].equation_bytes == by_way[CHANNELS, 3].live_bytes
    whole = by_way[PLAIN, None].allocator_bytes
    assert by_way[CHANNELS_AND_ROWS, 3].allocator_bytes <= 0.4 * whole < by_way[CHANNELS, 3].allocator_bytes


def test_networks_that_cannot_be_split_are_refused(mobilenet: Settings) -> None:
    with pytest.raises(LabError, match="Sandglass: only"):
        measure_split(mobilenet("mobilenet_v2_small", residual="sandglass"), 32, 1, [2], 4, 2, 1)


def test_measuring_leaves_torch_as_it_was(mobilenet: Settings) -> None:
    measure_split(mobilenet("mobilenet_v2_small"), 32, 1, [2], 4, 2, rounds=1)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
