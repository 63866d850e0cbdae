import itertools

import pytest

from bottleneck_lab import extend
from bottleneck_lab.quantise.scheme import Activations, Scheme, Weights, is_lost, lost_by, parse_scheme

EVERY = [
    Scheme(weights, activations)
    for weights, activations in itertools.product(
        [None, *(Weights(b, per, f) for b in (2, 8) for per in ("tensor", "channel") for f in (True, False))],
        [None, *(Activations(4, s, r) for s in ("unsigned", "symmetric") for r in ("minmax", "mse"))],
    )
    if weights or activations
]


@pytest.mark.parametrize("scheme", EVERY, ids=lambda scheme: scheme.name)
def test_a_scheme_is_read_back_from_its_name(scheme: Scheme) -> None:
    assert parse_scheme(scheme.name) == scheme
    assert lost_by(f"lost_{scheme.name}") == scheme


def test_no_two_schemes_have_one_name_or_one_label() -> None:
    assert len({scheme.name for scheme in EVERY}) == len({scheme.label for scheme in EVERY}) == len(EVERY)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is no scheme of rounding; one is 'w8_channel_a8_asymmetric_minmax'"),
        ("int8", "is no scheme of rounding"),
        ("w8", "is no scheme of rounding"),
        ("w8_chanel", "'chanel' is none of tensor, channel"),
        ("w1_channel", "1 bits; give 2 to 16"),
        ("w08_channel", "08 bits; give 2 to 16"),
        ("a17_signed_mse", "'signed' is none of unsigned, symmetric, asymmetric"),
        ("a99999999999_unsigned_mse", "give 2 to 16"),
        ("a8_unsigned_max", "'max' is none of minmax, percentile, mse"),
        ("w8_channela8_unsigned_mse", "is no scheme of rounding"),
        ("_a8_unsigned_mse", "is no scheme of rounding"),
        ("a8_unsigned_mse_w8_channel", "is no scheme of rounding"),
    ],
)
def test_what_is_no_scheme_is_refused_with_the_word_that_is_wrong(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match="is no scheme of rounding") as caught:
        parse_scheme(name)
    assert reason in str(caught.value)
    assert lost_by(f"lost_{name}") is None


def test_measures_that_are_listed_are_no_schemes() -> None:
    assert not any(is_lost(name) for name in extend.MEASURES)
    assert "lost_w4_tensor" in extend.MEASURE_NAMES
    assert "lost_w4_tenor" not in extend.MEASURE_NAMES
    named = extend.measure_named("lost_w4_tensor_a4_unsigned_mse")
    assert named.share
    assert named.label == "lost with 4 bits, a grid a tensor, unsigned (mse)"
