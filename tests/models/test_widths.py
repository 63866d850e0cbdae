"""Equal cost: networks with other expansion ratios, widened or narrowed until they cost the same."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottleneck_lab.config import MobileNetV2Settings, RunSettings, ToyNetworkSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.models import cost_of
from bottleneck_lab.models.widths import bottleneck_widths, head_width, relative_madds, stem_width

Settings = Callable[..., MobileNetV2Settings]
Run = Callable[..., RunSettings]

NETWORKS = {
    "mobilenet_v2_small": {"dataset": "cifar10"},
    "mobilenet_v2_digits": {"dataset": "digits"},
    "mobilenet_v2_cifar": {"dataset": "cifar10"},
    "mobilenet_v2": {"dataset": "cifar10", "resolution": 224},
}
RATIOS = [0, 0.25, 0.5, 1, 2, 4, 8, 10]

every_network = pytest.mark.parametrize(("network", "data"), NETWORKS.items(), ids=NETWORKS)


@every_network
@pytest.mark.parametrize("t", RATIOS)
def test_with_any_expansion_a_network_costs_within_2_percent_of_the_reference(
    mobilenet: Settings, run: Run, network: str, data: dict[str, str | int], t: float
) -> None:
    wanted = cost_of(run(mobilenet(network), **data)).madds  # t = 6
    matched = cost_of(run(mobilenet(network, expansion=t, madds_of_expansion=6.0), **data)).madds
    assert matched == pytest.approx(wanted, rel=0.02)


def test_a_cost_that_no_width_can_meet_is_refused(mobilenet: Settings) -> None:
    with pytest.raises(LabError, match="with expansion 64 no bottleneck widths cost as much"):
        bottleneck_widths(mobilenet("mobilenet_v2_small", expansion=64, madds_of_expansion=0.1))


@every_network
def test_the_more_a_block_expands_the_narrower_its_ends_are_for_the_same_cost(
    mobilenet: Settings, network: str, data: object
) -> None:
    widths = [
        bottleneck_widths(mobilenet(network, expansion=t, madds_of_expansion=6.0)) for t in (2, 4, 8, 10)
    ]
    own = bottleneck_widths(mobilenet(network))
    for wider, narrower in itertools.pairwise([*widths[:2], own, *widths[2:]]):
        assert all(a >= b for a, b in zip(wider, narrower, strict=True))


def test_all_widths_grow_by_one_factor_up_to_whole_channels(mobilenet: Settings) -> None:
    settings = mobilenet("mobilenet_v2_cifar", expansion=2, madds_of_expansion=6.0)
    factors = [
        ((width - 0.5) / stage.c, (width + 0.5) / stage.c)
        for width, stage in zip(bottleneck_widths(settings), settings.stages, strict=True)
    ]
    assert max(low for low, _ in factors) <= min(high for _, high in factors)


def test_stem_and_head_stay_as_they_are(mobilenet: Settings) -> None:
    matched = mobilenet("mobilenet_v2_small", expansion=1, madds_of_expansion=6.0)
    assert (stem_width(matched), head_width(matched)) == (16, 192)


def test_an_expansion_ratio_of_a_stages_own_is_kept(mobilenet: Settings, run: Run) -> None:
    stages = [{"t": 1, "c": 16, "n": 1, "s": 1}, {"c": 32, "n": 3, "s": 2}]
    reference = mobilenet("mobilenet_v2_small", stages=stages)
    matched = mobilenet("mobilenet_v2_small", stages=stages, expansion=3, madds_of_expansion=6.0)
    costs = [cost_of(run(settings, dataset="cifar10")).madds for settings in (reference, matched)]
    assert costs[1] == pytest.approx(costs[0], rel=0.02)


@every_network
@pytest.mark.parametrize("t", [0, 0.5, 1, 6])
def test_relative_cost_differs_from_the_real_one_by_stem_and_classifier_alone(
    mobilenet: Settings, run: Run, network: str, data: dict[str, str | int], t: float
) -> None:
    settings = mobilenet(network, expansion=t)
    whole = run(settings, **data)
    channels, edge, _ = whole.data.shape
    stem = (edge / settings.stem_stride) ** 2 * 9 * channels * stem_width(settings)
    classifier = head_width(settings) * whole.data.classes
    blocks = edge**2 * relative_madds(settings, bottleneck_widths(settings))
    assert stem + blocks + classifier == pytest.approx(cost_of(whole).madds, rel=1e-6)


@given(st.integers(2, 64), st.sampled_from([0.25, 0.5, 1, 2, 3, 8, 10]), st.integers(1, 12))
def test_no_other_width_brings_a_toy_network_closer_to_the_cost_asked_for(
    width: int, t: float, reference: int
) -> None:
    if t == reference:
        return
    settings = ToyNetworkSettings(
        family="toy", network="toy", width=width, expansion=t, madds_of_expansion=float(reference)
    )
    wanted = reference * width**2  # a block costs 2 t d^2
    ideal = (wanted / t) ** 0.5
    assert settings.channels == max(1, round(ideal))
    assert abs(settings.channels - ideal) <= 0.5 or settings.channels == 1


def test_a_toy_network_without_an_equal_cost_to_meet_has_its_own_width() -> None:
    assert ToyNetworkSettings(family="toy", network="toy", width=7).channels == 7
