"""Rounded networks: against arithmetic written out in numpy, and what follows from it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bottleneck_lab.quantise.grids import Grid, grid_between, rounded_weight
from bottleneck_lab.quantise.ranges import Spread
from bottleneck_lab.quantise.rounded import (
    accuracy,
    accuracy_lost,
    grids_of,
    observed,
    outputs,
    places,
    rounded,
)
from bottleneck_lab.quantise.scheme import Activations, parse_scheme

SHAPES = [
    {},
    {"projection_activation": "relu6", "projection_place": "after_add"},
    {"residual": "expansion"},
    {"residual": "sandglass"},
    {"expansion": 0},
]
SCHEMES = [
    "w4_channel_a4_asymmetric_mse",
    "w6_tensor_a5_unsigned_percentile",
    "w4_tensor_unfolded_a4_symmetric_minmax",
    "w3_channel",
    "a3_asymmetric_minmax",
]


def numpy_grid(x: np.ndarray, grid: Grid) -> np.ndarray:
    """Jacob et al. 2018, eq. (1): r = S (q - Z)."""
    return (np.clip(np.round(x / grid.step) + grid.zero, grid.least, grid.most) - grid.zero) * grid.step


def numpy_weight(weight: np.ndarray, bits: int, per: str) -> np.ndarray:
    most = 2 ** (bits - 1) - 1
    rows = weight.reshape(len(weight), -1)
    largest = np.abs(rows).max(1, keepdims=True) if per == "channel" else np.abs(rows).max()
    step = np.maximum(largest / most, np.finfo(np.float32).eps)
    return (np.clip(np.round(rows / step), -most, most) * step).reshape(weight.shape)


def convolve(x, weight, conv):
    """`[N, C, H, W]`, in double precision, a pixel at a time."""
    k, stride, pad = weight.shape[2], conv.stride[0], weight.shape[2] // 2
    framed = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    y = np.zeros((len(x), len(weight), -(-x.shape[2] // stride), -(-x.shape[3] // stride)))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            patch = framed[:, :, i * stride : i * stride + k, j * stride : j * stride + k]
            if conv.groups > 1:
                y[:, :, i, j] = (patch * weight[:, 0]).sum((2, 3))
            else:
                y[:, :, i, j] = np.einsum("ncij,ocij->no", patch, weight)
    return y


def double(tensor):
    return tensor.detach().double().numpy()


class Slow:
    """The forward pass of a network between bottlenecks, rounded, in numpy."""

    def __init__(self, network, grids, scheme):
        self.network, self.grids, self.scheme = network, grids, scheme

    def on_grid(self, place, x):
        return numpy_grid(x, self.grids[place]) if self.grids else x

    def weight(self, weight, at_end=False):
        if (wanted := self.scheme.weights) is None:
            return weight
        return numpy_weight(weight, max(wanted.bits, 8) if at_end else wanted.bits, wanted.per)

    def layer(self, name, x):
        layer = self.network.get_submodule(name)
        norm = layer.norm
        gain = double(norm.weight) / np.sqrt(double(norm.running_var) + norm.eps)
        shift = double(norm.bias) - double(norm.running_mean) * gain
        gain, shift = gain[:, None, None, None], shift[None, :, None, None]
        if self.scheme.weights is None or self.scheme.weights.folded:
            weight = self.weight(double(layer.conv.weight) * gain, name == "stem")
        else:
            weight = self.weight(double(layer.conv.weight), name == "stem") * gain
        y = convolve(x, weight, layer.conv) + shift
        if not isinstance(layer.activation, nn.Identity):
            y = np.clip(y, 0, 6)
        return self.on_grid(name, y)

    def __call__(self, x):
        x = self.layer("stem", self.on_grid("images", x))
        for index, block in enumerate(self.network.blocks):
            y = x
            for part in ("expansion", "depthwise", "projection"):
                name = f"blocks.{index}.{part}"
                y = self.layer(name, y) if not isinstance(getattr(block, part), nn.Identity) else y
            y = x + y if block.has_shortcut else y
            is_sum = block.has_shortcut or not isinstance(block.output, nn.Identity)
            y = y if isinstance(block.output, nn.Identity) else np.clip(y, 0, 6)
            x = self.on_grid(f"blocks.{index}.output", y) if is_sum else y
        x = self.on_grid("features", self.layer("head", x).mean((2, 3)))
        weight = self.weight(double(self.network.classifier.weight), True)
        return self.on_grid("logits", x @ weight.T + double(self.network.classifier.bias))


def held_out(data, count):
    return data.normalised(data.held_out.pixels[:count]).contiguous()


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("knobs", SHAPES[:2])
def test_it_computes_what_the_arithmetic_written_out_does(network, digits, knobs, name):
    made, scheme = network(**knobs), parse_scheme(name)
    spreads = observed(made, digits, 20)
    grids = grids_of(spreads, scheme.activations) if scheme.activations else {}
    x = held_out(digits, 5)
    expected = Slow(made, grids, scheme)(double(x))
    with torch.no_grad():
        exact, fast = double(made(x)), double(rounded(made, spreads, scheme)(x))
    # A value halfway between two of the grid may fall to either side in float32.
    assert np.abs(fast - expected).mean() < 0.05 * np.abs(expected - exact).mean()


@pytest.mark.parametrize("knobs", SHAPES)
@pytest.mark.parametrize("name", SCHEMES[:3])
def test_every_place_and_weight_has_at_most_as_many_values_as_its_bits_have(network, digits, knobs, name):
    scheme = parse_scheme(name)
    original = network(**knobs)
    made = rounded(original, observed(original, digits, 20), scheme)
    seen: dict[str, int] = {}
    for place, where in places(made).items():
        if place not in ("images", "features"):
            where.hook(lambda values, place=place: seen.update({place: len(values.unique())}))
    with torch.no_grad():
        made(held_out(digits, 50))
    few = {place: count for place, count in seen.items() if place != "logits"}
    assert 2 < max(few.values()) <= 2**scheme.activations.bits
    assert seen["logits"] <= 2**8
    for module in made.modules():
        if isinstance(module, nn.Conv2d) and module is not next(
            m for m in made.modules() if type(m) is nn.Conv2d
        ):
            rows = module.weight if scheme.weights.per == "channel" else module.weight[None]
            assert max(len(row.unique()) for row in rows) <= 2**scheme.weights.bits - 1


def test_16_bits_change_next_to_nothing_and_the_network_stays_as_it_is(network, digits):
    made = network()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    x = held_out(digits, 50)
    with torch.no_grad():
        exact = made(x)
        fine = rounded(made, observed(made, digits), parse_scheme("w16_tensor_a16_asymmetric_minmax"))(x)
    assert (fine - exact).abs().max() < 2e-3 * exact.std()
    assert all(torch.equal(before[name], tensor) for name, tensor in made.state_dict().items())
    assert not any(module._forward_hooks for module in made.modules())


def test_folding_changes_nothing_of_a_grid_for_each_channel(network, digits):
    """A channel's grid is symmetric and as wide as its largest weight, so a factor passes through it."""
    made = network()
    folded, unfolded = (
        rounded(made, {}, parse_scheme(name)) for name in ("w4_channel", "w4_channel_unfolded")
    )
    x = held_out(digits, 20)
    with torch.no_grad():
        torch.testing.assert_close(folded(x), unfolded(x), rtol=1e-4, atol=1e-4)
        tensor, other = (rounded(made, {}, parse_scheme(f"w4_tensor{end}"))(x) for end in ("", "_unfolded"))
    assert (tensor - other).abs().max() > 0.01


def test_on_unsigned_grids_a_linear_bottleneck_is_a_relu(network, digits):
    made = network()
    clipped = rounded(made, observed(made, digits), parse_scheme("a16_unsigned_minmax"))
    relu = network(projection_activation="relu")
    x = held_out(digits, 20)
    seen = []
    for one in (clipped, relu):
        one.get_submodule("blocks.0.output").register_forward_hook(lambda m, i, y: seen.append(y))
        with torch.no_grad():
            one(x)
    torch.testing.assert_close(seen[0], seen[1], rtol=1e-3, atol=1e-3)
    assert (seen[0] == 0).float().mean() > 0.3


def test_unsigned_and_asymmetric_grids_are_one_where_nothing_is_negative(network, digits):
    spreads = observed(network(projection_activation="relu6"), digits)
    for name, spread in spreads.items():
        if name not in ("images", "logits"):
            for span in ("minmax", "percentile", "mse"):
                assert spread.grid(Activations(4, "unsigned", span)) == spread.grid(
                    Activations(4, "asymmetric", span)
                )


def test_accuracy_lost_is_that_of_the_network_minus_that_of_its_rounded_copy(network, digits):
    made = network()
    scheme = parse_scheme("w2_tensor_a2_unsigned_minmax")
    copy = rounded(made, observed(made, digits), scheme)
    right = [
        float((outputs(one, digits).argmax(1) == digits.held_out.labels).double().mean())
        for one in (made, copy)
    ]
    assert accuracy(made, digits) == pytest.approx(right[0])
    assert accuracy_lost(made, digits, [scheme, scheme]) == {scheme.name: pytest.approx(right[0] - right[1])}


# Grids and ranges


def ends_of(grid):
    return grid.step * (grid.least - grid.zero), grid.step * (grid.most - grid.zero)


@given(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32), st.integers(2, 8))
def test_every_grid_has_0_its_number_of_values_and_covers_its_range(one, other, bits):
    low, high = sorted((one, other))
    for sign in ("unsigned", "symmetric", "asymmetric"):
        grid = grid_between(low, high, bits, sign)
        values, (smallest, largest) = grid.most - grid.least + 1, ends_of(grid)
        assert values == 2**bits - (sign == "symmetric")
        assert grid.least <= grid.zero <= grid.most
        assert largest >= max(high, 0) - grid.step / 2 - 1e-4
        if sign != "unsigned":
            assert smallest <= min(low, 0) + grid.step / 2 + 1e-4


def spread_of(values):
    spread = Spread()
    spread.see_ends(values[:, None])
    spread.see_values(values[:, None])
    return spread


def test_least_squared_error_of_a_normal_variable_is_that_of_the_best_uniform_quantiser():
    """Max 1960, Table II: with 4 bits a mean squared error of .01154, with 8 values (3 bits) of .03744."""
    values = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    for bits, known in ((4, 0.01154), (3, 0.03744)):
        found = spread_of(values).grid(Activations(bits, "asymmetric", "mse"))
        error = float((found.rounded(values) - values).square().mean())
        assert known * 0.97 < error < known * 1.12  # a grid with 0 on it has one value to spare
        widest = spread_of(values).grid(Activations(bits, "asymmetric", "minmax"))
        assert error < 0.7 * float((widest.rounded(values) - values).square().mean())


def test_percentiles_leave_out_the_few_that_are_far_away():
    values = torch.rand(100_000, generator=torch.Generator().manual_seed(0))
    values[:3] = 100.0
    spread = spread_of(values)
    assert ends_of(spread.grid(Activations(8, "unsigned", "minmax"))) == (0, pytest.approx(100))
    assert 1 <= ends_of(spread.grid(Activations(8, "unsigned", "percentile")))[1] < 1.1


def test_where_everything_is_0_it_stays_0():
    spread = spread_of(torch.zeros(10))
    for span in ("minmax", "percentile", "mse"):
        assert (spread.grid(Activations(4, "symmetric", span)).rounded(torch.zeros(3)) == 0).all()
    assert (rounded_weight(torch.zeros(2, 3), 4, "channel") == 0).all()


def test_ranges_from_min_to_max_are_those_of_torchs_own_observer():
    """Deprecated in torch, and the yardstick as long as it is there."""
    observer = pytest.importorskip("torch.ao.quantization.observer")
    values = torch.randn(500, generator=torch.Generator().manual_seed(1)) + 0.5
    for sign, scheme in (("asymmetric", torch.per_tensor_affine), ("symmetric", torch.per_tensor_symmetric)):
        theirs = observer.MinMaxObserver(
            dtype=torch.qint8, qscheme=scheme, quant_min=-127 if sign == "symmetric" else -128, quant_max=127
        )
        theirs(values)
        scale, zero = theirs.calculate_qparams()
        ours = spread_of(values).grid(Activations(8, sign, "minmax"))
        assert ours.step == pytest.approx(float(scale), rel=1e-5)
        assert ours.zero - (0 if sign == "symmetric" else 128) == int(zero)
