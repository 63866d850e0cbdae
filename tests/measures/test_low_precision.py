"""Few bits: against arithmetic written out in numpy, one tensor after the other."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bottleneck_lab.measures import low_precision
from bottleneck_lab.measures.low_precision import lost_bfloat16, lost_bits, quantised
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.quantise.grids import rounded_weight
from bottleneck_lab.quantise.rounded import stored

SHAPES = [
    {},
    {"projection_activation": "relu6"},
    {"projection_activation": "relu", "projection_place": "after_add"},
    {"residual": "none", "inner_activation": "relu"},
    {"residual": "expansion"},
    {"residual": "sandglass"},
    {"shortcuts": "between_expansions"},
    {"expansion": 0},
]


def grid(x, low, high, bits):
    """Jacob et al. 2018, eq. (1): r = S (q - Z), q a whole number of `bits` bits; 0 is one of the values."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = max((high - low) / (2**bits - 1), np.finfo(np.float32).eps)
    zero = np.round(-low / step)
    q = np.clip(np.round(x / step) + zero, 0, 2**bits - 1)
    return (q - zero) * step


def symmetric(weight, bits):
    """Each output channel on whole multiples of its largest value / (2^(bits - 1) - 1)."""
    most = 2 ** (bits - 1) - 1
    rows = []
    for row in weight:
        step = max(np.abs(row).max() / most, np.finfo(np.float32).eps)
        rows.append(np.clip(np.round(row / step), -most, most) * step)
    return np.stack(rows)


def convolve(x, weight, bias, stride, groups):
    """`[N, C, H, W]`, in double precision, a pixel at a time."""
    n, c, h, w = x.shape
    out, _, k, _ = weight.shape
    pad = k // 2
    framed = np.zeros((n, c, h + 2 * pad, w + 2 * pad))
    framed[:, :, pad : pad + h, pad : pad + w] = x
    y = np.zeros((n, out, -(-h // stride), -(-w // stride)))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            patch = framed[:, :, i * stride : i * stride + k, j * stride : j * stride + k]
            for o in range(out):
                seen = patch[:, o : o + 1] if groups > 1 else patch
                y[:, o, i, j] = (seen * weight[o]).sum((1, 2, 3)) + bias[o]
    return y


ACTIVATIONS = {
    "Identity": lambda x: x,
    "ReLU": lambda x: np.maximum(x, 0),
    "ReLU6": lambda x: np.clip(x, 0, 6),
}


class Slow:
    """The forward pass of a network in numpy; keeps ranges at first, and rounds to them afterwards."""

    def __init__(self, network, bits=None):
        self.network, self.bits, self.ranges, self.rounds = network, bits, {}, False

    def kept(self, name, x):
        if self.rounds:
            return grid(x, *self.ranges[name], self.bits)
        low, high = self.ranges.get(name, (0.0, 0.0))
        self.ranges[name] = (min(low, x.min()), max(high, x.max()))
        return x

    def layer(self, name, layer, x):
        conv, norm = layer.conv, layer.norm
        gain = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().double().numpy()
        weight = conv.weight.detach().double().numpy() * gain[:, None, None, None]
        bias = norm.bias.detach().double().numpy() - norm.running_mean.double().numpy() * gain
        weight = symmetric(weight, self.bits) if self.rounds else weight
        y = convolve(x, weight, bias, conv.stride[0], conv.groups)
        return self.kept(name, ACTIVATIONS[type(layer.activation).__name__](y))

    def step(self, name, layer, x):
        return self.layer(name, layer, x) if isinstance(layer, ConvNorm) else x

    def block(self, index, block, x):
        y = self.step(f"{index}.expansion", block.expansion, x)
        y = self.step(f"{index}.depthwise", block.depthwise, y)
        y = self.step(f"{index}.projection", block.projection, y)
        after = ACTIVATIONS[type(block.output).__name__]
        return self.kept(f"{index}.output", after(x + y if block.has_shortcut else y))

    def between_expansions(self, x):
        previous = None
        for index, (block, joined) in enumerate(
            zip(self.network.blocks, self.network.expansions_joined, strict=True)
        ):
            wide = self.step(f"{index}.expansion", block.expansion, x)
            previous = self.kept(f"{index}.join", wide + previous) if joined else wide
            y = self.step(f"{index}.depthwise", block.depthwise, previous)
            x = self.kept(f"{index}.output", self.step(f"{index}.projection", block.projection, y))
        return x

    def __call__(self, x):
        x = self.layer("stem", self.network.stem, x)
        if self.network.settings.residual == "expansion":
            x = self.between_expansions(x)
        else:
            for index, block in enumerate(self.network.blocks):
                x = self.block(index, block, x)
        x = self.layer("head", self.network.head, x).mean((2, 3))
        weight = self.network.classifier.weight.detach().double().numpy()
        weight = symmetric(weight, self.bits) if self.rounds else weight
        return x @ weight.T + self.network.classifier.bias.detach().double().numpy()


def images(data, part, count):
    return data.normalised(getattr(data, part).pixels[:count]).contiguous()


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("knobs", [k for k in SHAPES if k.get("residual") != "sandglass"])
def test_it_computes_what_the_arithmetic_written_out_does(network, digits, knobs, bits, monkeypatch):
    monkeypatch.setattr(low_precision, "CALIBRATION", 12)
    made = network(**knobs)
    slow = Slow(made, bits)
    slow(images(digits, "train", 12).double().numpy())
    slow.rounds = True
    held_out = images(digits, "held_out", 6)
    with torch.no_grad():
        fast = quantised(made, digits, bits)(held_out).double().numpy()
    expected = slow(held_out.double().numpy())
    # A value halfway between two of the grid may fall to either side in float32: the answers agree but for
    # a few such steps, far below what rounding itself changes.
    changed = np.abs(expected - made(held_out).detach().double().numpy()).mean()
    assert np.abs(fast - expected).mean() < 0.05 * changed


@pytest.mark.parametrize("bits", [2, 4, 6, 8])
@pytest.mark.parametrize("knobs", SHAPES)
def test_every_stored_tensor_and_weight_has_at_most_as_many_values_as_its_bits_have(
    network, digits, knobs, bits
):
    made = quantised(network(**knobs), digits, bits)
    counts = []
    for _, module in stored(made):
        module.register_forward_hook(lambda m, x, y: counts.append(len(y.unique())))
    with torch.no_grad():
        made(images(digits, "held_out", 100))
    assert 2 < max(counts) <= 2**bits
    for module in made.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert max(len(channel.unique()) for channel in module.weight) <= 2**bits - 1


@pytest.mark.parametrize("knobs", SHAPES)
def test_16_bits_change_next_to_nothing(network, digits, knobs):
    made = network(**knobs)
    batch = images(digits, "held_out", 100)
    exact = made(batch)
    error = (quantised(made, digits, 16)(batch) - exact).abs().max()
    assert error < 2e-3 * exact.std()
    assert abs(lost_bits(made, digits, 16)) <= 0.01


def test_the_network_itself_stays_as_it_is(network, digits):
    made = network()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    quantised(made, digits, 4)
    lost_bfloat16(made, digits)
    assert all(torch.equal(before[name], tensor) for name, tensor in made.state_dict().items())
    assert not any(module._forward_hooks for module in made.modules())


def test_a_relu6_that_is_never_passed_has_one_grid_for_all_images(network, digits):
    made = quantised(network(projection_activation="relu6"), digits, 4)
    values = []
    made.blocks[0].projection.register_forward_hook(lambda m, x, y: values.append(y.unique()))
    with torch.no_grad():
        made(images(digits, "held_out", 5))
        made(images(digits, "held_out", 200))
    assert set(values[0].tolist()) <= set(values[1].tolist())


numbers = st.floats(-100, 100, width=32)


@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=4), st.integers(2, 8))
def test_the_largest_weight_of_a_channel_is_kept_and_none_moves_more_than_half_a_step(rows, bits):
    weight = torch.tensor(rows)
    rounded = rounded_weight(weight, bits, "channel")
    largest = weight.abs().amax(1)
    torch.testing.assert_close(rounded.abs().amax(1), largest, rtol=1e-5, atol=1e-6)
    step = largest / (2 ** (bits - 1) - 1)
    assert ((rounded - weight).abs() <= 0.5001 * step[:, None] + 1e-6).all()


def test_accuracy_lost_is_that_of_the_network_minus_that_of_its_rounded_copy(network, digits):
    made = network()
    labels = digits.held_out.labels
    batch = images(digits, "held_out", len(labels))

    def right(one, x):
        return sum(int(a == b) for a, b in zip(one(x).argmax(1), labels, strict=True)) / len(labels)

    assert lost_bits(made, digits, 3) == pytest.approx(
        right(made, batch) - right(quantised(made, digits, 3), batch)
    )
    half = network().bfloat16()
    assert lost_bfloat16(made, digits) == pytest.approx(right(made, batch) - right(half, batch.bfloat16()))
