"""What an activation does to a standard normal variable, against integrals worked out by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from bottleneck_lab import extend
from bottleneck_lab.config.activations import read
from bottleneck_lab.manifold.covariates import Covariates, covariates

PI = math.pi


def of(setting, **behind) -> Covariates:
    found = covariates(read(setting), **behind)
    assert found is not None
    return found


def leaky(slope):
    return {"kind": "leaky", "slope": slope}


def density(z):
    return math.exp(-(z**2) / 2) / math.sqrt(2 * PI)


def below(z):
    return float(special.ndtr(z))


def test_a_linear_projection_loses_nothing_and_lets_gradients_be():
    found = of("linear")
    assert (found.decodable, found.linear, found.growth) == pytest.approx((1, 1, 1), abs=1e-6)


@pytest.mark.parametrize("activation", ["relu", "relu6", leaky(0)])
def test_relu_in_closed_form(activation):
    """Half of z is told; of the other half its variance given its sign, 1 - 2 / pi, is lost."""
    found = of(activation)
    assert found.decodable == pytest.approx(1 - (1 - 2 / PI) / 2, abs=1e-4)
    assert found.linear == pytest.approx((1 / 4) / (1 / 2 - 1 / (2 * PI)), abs=1e-4)
    assert found.growth == pytest.approx(PI / (PI - 1), abs=1e-4)


@settings(max_examples=20)
@given(st.floats(-2, 2))
def test_leaky_relus_in_closed_form(slope):
    """E f = (1 - a) / sqrt(2 pi), E f^2 = E f'^2 = (1 + a^2) / 2, and E z f = (1 + a) / 2."""
    found = of(leaky(slope))
    variance = (1 + slope**2) / 2 - (1 - slope) ** 2 / (2 * PI)
    assert found.linear == pytest.approx(((1 + slope) / 2) ** 2 / variance, abs=1e-3)
    assert found.growth == pytest.approx((1 + slope**2) / 2 / variance, abs=1e-3)
    if slope > 0.05:  # one-to-one
        assert found.decodable == pytest.approx(1, abs=2e-4)


def test_the_absolute_value_tells_nothing_of_z_to_any_decoder():
    found = of(leaky(-1))
    assert found.decodable == pytest.approx(0, abs=1e-4)
    assert found.linear == pytest.approx(0, abs=1e-6)
    assert found.growth == pytest.approx(1 / (1 - 2 / PI), abs=1e-4)


def test_a_fold_of_half_the_slope():
    """From h > 0 two z are possible, h and -2 h, with densities d(h) and d(2 h) / (1/2)."""

    def kept(h):
        a, b = density(h), 2 * density(2 * h)
        mean = (a * h - b * 2 * h) / (a + b)
        return (a + b) * mean**2

    expected, _ = integrate.quad(kept, 0, 12)
    assert of(leaky(-0.5)).decodable == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("limit", [0.5, 1.0, 2.0, 3.0])
def test_a_clip_in_closed_form(limit):
    """Between the limits f is z; Stein's lemma has E z f = E f' = P(|z| < c)."""
    inside = 2 * below(limit) - 1
    tail = 1 - below(limit)
    square = inside - 2 * limit * density(limit) + 2 * limit**2 * tail
    beyond = density(limit) / tail  # mean of z beyond the limit
    lost = 2 * tail * (1 + limit * beyond - beyond**2)
    found = of({"kind": "clip", "limit": limit})
    assert found.linear == pytest.approx(inside**2 / square, abs=1e-4)
    assert found.growth == pytest.approx(inside / square, abs=1e-3)
    assert found.decodable == pytest.approx(1 - lost, abs=1e-3)


@pytest.mark.parametrize("bias", [0.5, 1.0, 2.0, 3.0])
def test_a_bias_before_relu_in_closed_form(bias):
    """E f = b P + d(b), E f^2 = (1 + b^2) P + b d(b), E f'^2 = E z f = P, with P = P(z > -b)."""
    share = below(bias)
    mean = bias * share + density(bias)
    variance = (1 + bias**2) * share + bias * density(bias) - mean**2
    mills = density(bias) / (1 - share)
    lost = (1 - share) * (1 + bias * mills - mills**2)
    found = of("relu", bias=bias)
    assert found.linear == pytest.approx(share**2 / variance, abs=1e-4)
    assert found.growth == pytest.approx(share / variance, abs=1e-4)
    assert found.decodable == pytest.approx(1 - lost, abs=1e-4)
    halved = of("relu", bias=bias / 2, scale=0.5)  # the same in another unit
    assert halved.growth == pytest.approx(found.growth, abs=1e-6)


SMOOTH = {
    "tanh": (math.tanh, lambda z: 1 / math.cosh(z) ** 2),
    "softplus": (lambda z: math.log1p(math.exp(z)), lambda z: 1 / (1 + math.exp(-z))),
    "gelu": (lambda z: z * below(z), lambda z: below(z) + z * density(z)),
    "silu": (
        lambda z: z * float(special.expit(z)),
        lambda z: float(special.expit(z) * (1 + z * special.expit(-z))),
    ),
    "hard_swish": (
        lambda z: z * min(max(z + 3, 0), 6) / 6,
        lambda z: (2 * z + 3) / 6 if -3 < z < 3 else float(z > 0),
    ),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_activations_against_adaptive_quadrature(name):
    function, derivative = SMOOTH[name]

    def mean(of):
        return sum(
            integrate.quad(lambda z: of(z) * density(z), a, b)[0] for a, b in ((-9, -3), (-3, 3), (3, 9))
        )

    centre = mean(function)
    variance = mean(lambda z: (function(z) - centre) ** 2)
    found = of(name)
    assert found.linear == pytest.approx(mean(lambda z: z * function(z)) ** 2 / variance, abs=1e-4)
    assert found.growth == pytest.approx(mean(lambda z: derivative(z) ** 2) / variance, abs=1e-4)
    one_to_one = name in ("tanh", "softplus")
    assert (found.decodable > 0.999) == one_to_one


@given(st.floats(0, 5))
def test_noise_is_a_loss_to_every_decoder_and_its_variance_shrinks_gradients(variance):
    found = of({"kind": "noise", "variance": variance})
    assert found == Covariates(*[pytest.approx(1 / (1 + variance))] * 3)


def test_noise_of_relus_loss_is_as_much_as_relu_loses():
    assert of({"kind": "noise", "variance": 0.222}).decodable == pytest.approx(of("relu").decodable, abs=1e-3)


@pytest.mark.parametrize(("bits", "error"), [(1, 0.3634), (2, 0.1188), (3, 0.03744), (4, 0.01154)])
def test_bits_lose_what_max_has_in_his_table(bits, error):
    """Max 1960, Table II: mean square errors of the best uniform quantisers of a normal variable."""
    found = of({"kind": "bits", "bits": bits})
    assert found.linear == pytest.approx(1 - error, abs=2e-4)
    assert found.growth == pytest.approx(1 / (1 - error), abs=1e-3)
    assert -1e-9 <= found.decodable - found.linear < 0.01  # the best decoder has means in place of middles


def test_maxmin_by_a_million_pairs():
    z = np.random.default_rng(0).standard_normal((1_000_000, 2))
    ordered = np.sort(z, axis=1)
    answer = ordered.mean(axis=1, keepdims=True)  # which of the two it was cannot be told
    found = of("maxmin")
    assert found.decodable == found.linear == pytest.approx(1 - ((z - answer) ** 2).mean(), abs=3e-3)
    assert found.growth == pytest.approx(1 / ordered.var(axis=0).mean(), abs=5e-3)


def test_forwards_linear_and_backwards_relu_and_the_other_way_round():
    linear, relu = of("linear"), of("relu")
    masked, through = of("masked_backward"), of("straight_through")
    assert masked.decodable == pytest.approx(linear.decodable)
    assert masked.growth == pytest.approx(relu.growth, abs=1e-4)
    assert through.decodable == pytest.approx(relu.decodable)
    assert through.growth == pytest.approx(linear.growth, abs=1e-4)


def test_what_was_added_has_them_too_where_it_maps_each_number_by_itself():
    extend.activation("twice_relu")(lambda: torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Hardtanh(0, 1e6)))
    assert of("twice_relu") == of("relu")
    extend.activation("softmax")(lambda: torch.nn.Softmax(-1))
    assert covariates("softmax") is None


def test_there_are_none_for_what_changes_or_is_constant():
    assert covariates(read(leaky({"from": 1, "to": 0, "until": 0.5}))) is None
    assert covariates("relu", bias=-100.0) is None
