"""The simulation against torch's integer kernels, on whole networks."""

import pytest
import torch

from bottleneck_lab.errors import LabError
from bottleneck_lab.quantise.integers import IntegerNetwork, why_not
from bottleneck_lab.quantise.rounded import grids_of, observed, rounded
from bottleneck_lab.quantise.scheme import parse_scheme

KNOBS = [{}, {"projection_activation": "relu6"}, {"inner_activation": "relu"}, {"residual": "none"}]
SCHEMES = [
    "w8_channel_a8_asymmetric_minmax",
    "w8_tensor_a8_unsigned_mse",
    "w8_channel_a8_symmetric_percentile",
]
THREE = [{"c": 8, "n": 3, "s": 1}]  # blocks of one width


@pytest.fixture(scope="module")
def has_kernels(network):
    if why := why_not(network(), parse_scheme(SCHEMES[0])):
        pytest.skip(why)


@pytest.mark.parametrize("knobs", KNOBS)
@pytest.mark.parametrize("name", SCHEMES)
def test_integers_give_the_logits_that_rounded_floats_do(network, digits, has_kernels, knobs, name):
    made, scheme = network(**knobs), parse_scheme(name)
    spreads = observed(made, digits, 50)
    x = digits.normalised(digits.held_out.pixels)
    engine = torch.backends.quantized.engine
    with torch.no_grad():
        integers, floats = IntegerNetwork(made, spreads, scheme)(x), rounded(made, spreads, scheme)(x)
    steps = (integers - floats).abs() / grids_of(spreads, scheme.activations)["logits"].step
    assert steps.max() < 2.5  # a sum that falls between two integers may fall to either side
    assert (steps > 0.5).float().mean() < 0.1
    assert torch.backends.quantized.engine == engine


@pytest.mark.parametrize(
    ("knobs", "name", "reason"),
    [
        ({}, "w4_channel_a8_asymmetric_minmax", "8 bits alone"),
        ({}, "w8_channel", "8 bits alone"),
        ({}, "w8_tensor_unfolded_a8_unsigned_mse", "folded"),
        ({"residual": "expansion", "stages": THREE}, SCHEMES[0], "between expansions"),
        ({"residual": "sandglass"}, SCHEMES[0], "own blocks"),
        ({"inner_activation": "silu"}, SCHEMES[0], "SiLU is not known"),
        (
            {"projection_activation": "relu", "projection_place": "after_add"},
            SCHEMES[0],
            "after the addition",
        ),
    ],
)
def test_what_the_kernels_do_not_know_is_refused(network, digits, knobs, name, reason):
    with pytest.raises(LabError, match=reason):
        IntegerNetwork(network(**knobs), {}, parse_scheme(name))


def test_integers_do_not_take_the_one_that_a_symmetric_grid_leaves_out(network, digits, has_kernels):
    """Values far below a grid end at its first value, 1, as in rounded floats, and not at 0 beyond it."""
    made, scheme = network(), parse_scheme("w8_channel_a8_symmetric_minmax")
    spreads = observed(made, digits, 50)
    for spread in spreads.values():
        spread.low, spread.high = spread.low / 50, spread.high / 50
    seen = {}
    integers = IntegerNetwork(made, spreads, scheme)
    layer, block = integers._layer, integers._block
    integers._layer = lambda name, *rest: seen.setdefault(name, layer(name, *rest))
    integers._block = lambda name, *rest: seen.setdefault(name, block(name, *rest))
    integers(digits.normalised(digits.held_out.pixels))
    assert min(int(tensor.int_repr().min()) for tensor in seen.values()) == 1
