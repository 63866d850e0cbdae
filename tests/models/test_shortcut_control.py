"""The control for shortcuts between expansions: just as many between bottlenecks, at the same places."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bottleneck_lab.config import MobileNetV2Settings, RunSettings, ToyNetworkSettings
from bottleneck_lab.models import MobileNetV2, ToyNetworks, cost_of

Settings = Callable[..., MobileNetV2Settings]

SMALL = ["mobilenet_v2_small", "mobilenet_v2_digits", "mobilenet_v2_cifar", "mobilenet_v2"]


def placed(mobilenet: Settings, network: str, **knobs: Any) -> tuple[MobileNetV2, MobileNetV2, MobileNetV2]:
    """The network with shortcuts between expansions, its control, and with all between bottlenecks."""
    with torch.device("meta"):
        return (
            MobileNetV2(mobilenet(network, residual="expansion", **knobs)),
            MobileNetV2(mobilenet(network, shortcuts="between_expansions", **knobs)),
            MobileNetV2(mobilenet(network, **knobs)),
        )


def own(network: MobileNetV2) -> list[bool]:
    return [block.has_shortcut for block in network.blocks]


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("t", [0.25, 0.5, 2, 6, 10])
def test_the_control_has_as_many_shortcuts_and_they_are_some_of_all(
    mobilenet: Settings, network: str, t: float
) -> None:
    between, control, every = placed(mobilenet, network, expansion=t)
    assert control.shortcuts == between.shortcuts > 0
    assert all(in_all for one, in_all in zip(own(control), own(every), strict=True) if one)


def test_the_control_has_the_shortcuts_whose_end_is_followed_by_a_joined_expansion(
    mobilenet: Settings,
) -> None:
    between, control, _ = placed(mobilenet, "mobilenet_v2_cifar")
    assert own(control) == [*between.expansions_joined[1:], False]


stages = st.lists(
    st.fixed_dictionaries(
        {"c": st.integers(1, 40), "n": st.integers(1, 3), "s": st.integers(1, 2)},
        optional={"t": st.sampled_from([0.1, 0.5, 1, 2, 3])},
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=60)
@given(stages, st.sampled_from([0.1, 0.25, 1, 1.5, 4, 6]), st.integers(1, 8))
def test_they_are_equally_many_in_any_network(
    mobilenet: Settings, stages: list[dict[str, float]], t: float, multiple: int
) -> None:
    knobs = {"stages": stages, "expansion": t, "channel_multiple": multiple}
    between, control, every = placed(mobilenet, "mobilenet_v2_small", **knobs)
    assert control.shortcuts == between.shortcuts <= every.shortcuts


def test_the_control_changes_no_parameter_and_no_multiply_add(
    mobilenet: Settings, run: Callable[..., RunSettings]
) -> None:
    costs = [
        cost_of(run(mobilenet("mobilenet_v2_small", **knobs), dataset="cifar10"))
        for knobs in ({}, {"shortcuts": "between_expansions"}, {"residual": "expansion"})
    ]
    assert len({(cost.params, cost.madds, cost.depthwise) for cost in costs}) == 1
    assert costs[1].shortcuts == costs[2].shortcuts < costs[0].shortcuts


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_of_toy_blocks_all_but_the_last_have_a_counterpart(
    toy: Callable[..., ToyNetworkSettings], blocks: int
) -> None:
    every, between, control = (
        toy(width=3, blocks=blocks, **knobs)
        for knobs in ({}, {"residual": "expansion"}, {"shortcuts": "between_expansions"})
    )
    counts = [ToyNetworks([settings]).shortcuts for settings in (every, between, control)]
    assert counts == [blocks, blocks - 1, blocks - 1]


def test_the_last_block_of_a_toy_control_does_not_add_its_input(
    toy: Callable[..., ToyNetworkSettings],
) -> None:
    networks = ToyNetworks(
        [toy(width=3, blocks=2), toy(width=3, blocks=2, shortcuts="between_expansions")], classes=3
    )
    with torch.no_grad():
        for name, parameter in networks.named_parameters():
            parameter.fill_(0.0 if name.endswith(("projection.0.weight", "bias")) else 1.0)
    points = torch.ones(2, 5, 2)
    all_of_them, control = networks(points)
    # Blocks that add nothing: 1 + 1 in each of 3 channels comes through shortcuts, and nothing without.
    assert torch.equal(all_of_them, torch.full((5, 3), 6.0))
    assert torch.equal(control, torch.zeros(5, 3))
