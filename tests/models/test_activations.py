"""Activations by what settings say: their values and gradients, chance, and parameters that change."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bottleneck_lab import extend
from bottleneck_lab.activations import KINDS, Activation
from bottleneck_lab.config.activations import read
from bottleneck_lab.models import MobileNetV2, ToyNetworks
from bottleneck_lab.models.activations import Bits, Changing, activation, give_chance, on_grid

Settings = Callable[..., Any]

# A setting of every kind that maps each number by itself, and what it should be.
BY_ELEMENT: list[tuple[Any, Callable[[float], float]]] = [
    ("linear", lambda z: z),
    ("relu", lambda z: max(z, 0)),
    ("relu6", lambda z: min(max(z, 0), 6)),
    ("leaky_relu", lambda z: max(z, z / 100)),
    ("silu", lambda z: z / (1 + math.exp(-z))),
    ("gelu", lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2),
    ("hard_swish", lambda z: z * min(max(z + 3, 0), 6) / 6),
    ("softplus", lambda z: math.log1p(math.exp(z))),
    ("tanh", math.tanh),
    ({"kind": "leaky", "slope": 0.25}, lambda z: max(z, z / 4)),
    ({"kind": "leaky", "slope": -1}, abs),
    ({"kind": "clip", "limit": 2}, lambda z: min(max(z, -2), 2)),
    ("masked_backward", lambda z: z),
    ("straight_through", lambda z: min(max(z, 0), 6)),
]


NAMES = [str(setting) for setting, _ in BY_ELEMENT]


@pytest.mark.parametrize(("setting", "written_out"), BY_ELEMENT, ids=NAMES)
def test_an_activation_is_what_its_name_says(setting: Any, written_out: Callable[[float], float]) -> None:
    z = torch.linspace(-9, 9, 37, dtype=torch.float64)
    expected = torch.tensor([written_out(float(one)) for one in z], dtype=torch.float64)
    torch.testing.assert_close(activation(read(setting))(z), expected)


def test_these_are_all_that_map_each_number_by_itself() -> None:
    tried = {setting if isinstance(setting, str) else setting["kind"] for setting, _ in BY_ELEMENT}
    assert tried == {name for name, kind in KINDS.items() if kind.by_element}
    assert set(extend.ACTIVATIONS.built_in) == set(KINDS)


@pytest.mark.parametrize(("setting", "written_out"), BY_ELEMENT, ids=NAMES)
def test_the_table_knows_where_it_is_flat(setting: Any, written_out: Callable[[float], float]) -> None:
    made = read(setting)
    kind = KINDS[made if isinstance(made, str) else made.kind]
    low, high = kind.flat(**({} if isinstance(made, str) else dict(made.parameters)))
    for z in (-8.0, -7.0, -3.5, -2.5, -1.0, 0.5, 1.5, 2.5, 5.0, 6.5, 8.0):
        flat = written_out(z - 0.1) == written_out(z + 0.1)
        assert flat == (z < low or z > high), z


# Two channels, or a batch


def test_maxmin_sorts_pairs_of_neighbours_and_leaves_a_last_odd_channel() -> None:
    z = torch.tensor([[1.0, 2.0, 5.0, 3.0, 7.0], [0.0, -1.0, 4.0, 4.0, -9.0]])
    expected = torch.tensor([[2.0, 1.0, 5.0, 3.0, 7.0], [0.0, -1.0, 4.0, 4.0, -9.0]])
    assert torch.equal(activation("maxmin")(z), expected)
    images = z[:, :, None, None].expand(-1, -1, 3, 2)
    assert torch.equal(activation("maxmin")(images), expected[:, :, None, None].expand(-1, -1, 3, 2))


def test_maxmin_changes_no_length_forwards_or_backwards() -> None:
    z = torch.randn(4, 6, 5, 5, dtype=torch.float64, requires_grad=True)
    out = activation("maxmin")(z)
    torch.testing.assert_close(out.square().sum(1), z.detach().square().sum(1))
    gradient = torch.randn_like(out)
    (back,) = torch.autograd.grad(out, z, gradient)
    torch.testing.assert_close(back.square().sum(1), gradient.square().sum(1))


@pytest.mark.parametrize("bits", range(1, 9))
def test_a_grid_of_k_bits_has_so_many_values_and_no_other_spacing_errs_less(bits: int) -> None:
    """Max 1960: the uniform quantiser of a standard normal variable with the least mean square error."""
    z = torch.linspace(-9, 9, 90_001, dtype=torch.float64)
    weight = torch.exp(-z.square() / 2) / torch.exp(-z.square() / 2).sum()
    assert len(on_grid(z, bits).unique()) == 2**bits

    def error(step: float) -> float:
        scaled = on_grid(z * Bits.STEPS[bits - 1] / step, bits) * step / Bits.STEPS[bits - 1]
        return float((weight * (scaled - z).square()).sum())

    best = error(Bits.STEPS[bits - 1])
    assert best <= min(error(Bits.STEPS[bits - 1] * factor) for factor in (0.97, 1.03))


def test_bits_pass_the_gradient_straight_through_and_shift_and_scale_with_their_channel() -> None:
    z = torch.randn(8, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    coarse = activation(read({"kind": "bits", "bits": 2}))
    out = coarse(z)
    (back,) = torch.autograd.grad(out.sum(), z)
    assert torch.equal(back, torch.ones_like(z))
    torch.testing.assert_close(coarse(3 * z - 5), 3 * out - 5)


def test_a_constant_channel_has_nothing_to_round_and_gets_no_noise() -> None:
    z = torch.full((4, 2, 3, 3), 0.7)
    for setting in ({"kind": "bits", "bits": 2}, {"kind": "noise", "variance": 1.0}):
        torch.testing.assert_close(activation(read(setting))(z), z)


def test_noise_has_the_given_variance_relative_to_each_channels() -> None:
    scales = torch.tensor([0.1, 1.0, 10.0])[:, None, None]
    z = torch.randn(64, 3, 30, 30, generator=torch.Generator().manual_seed(0)) * scales
    added = activation(read({"kind": "noise", "variance": 0.223}))(z) - z
    ratio = added.var((0, 2, 3)) / z.var((0, 2, 3))
    torch.testing.assert_close(ratio, torch.full((3,), 0.223), rtol=0.03, atol=0)


# Forwards one thing, backwards another


def gradient_at(setting: Activation, z: Tensor) -> Tensor:
    z = z.clone().requires_grad_()
    (back,) = torch.autograd.grad(activation(setting)(z).sum(), z)
    return back


def test_a_masked_backward_lets_pass_what_a_relu_does_grown_as_behind_relu_and_batch_norm() -> None:
    z = torch.tensor([-2.0, -0.1, 0.1, 7.0], dtype=torch.float64)
    factor = math.sqrt(math.pi / (math.pi - 1) * 2)
    assert factor == pytest.approx(1.713, abs=5e-4)
    torch.testing.assert_close(
        gradient_at("masked_backward", z), torch.tensor([0, 0, factor, factor], dtype=torch.float64)
    )


def test_straight_through_lets_everything_pass_as_behind_a_linear_projection() -> None:
    factor = math.sqrt(0.5 - 1 / (2 * math.pi))
    assert factor == pytest.approx(0.584, abs=5e-4)
    z = torch.tensor([-2.0, 0.1, 7.0], dtype=torch.float64)
    torch.testing.assert_close(gradient_at("straight_through", z), torch.full_like(z, factor))


# Chance comes from the run's own streams


def noisy(mobilenet: Settings) -> MobileNetV2:
    made = MobileNetV2(
        mobilenet("mobilenet_v2_digits", projection_activation={"kind": "noise", "variance": 0.2}), 1
    )
    return made.train()


def test_noise_is_told_by_seed_and_names_and_by_nothing_that_was_drawn_before(mobilenet: Settings) -> None:
    network, images = noisy(mobilenet), torch.randn(2, 1, 8, 8)

    def answer(seed: int, *names: object) -> Tensor:
        torch.randn(3)
        give_chance(network, [seed], *names)
        return network(images).detach()

    first = answer(0, "training", 3)
    assert torch.equal(first, answer(0, "training", 3))
    assert not torch.equal(first, answer(1, "training", 3))
    assert not torch.equal(first, answer(0, "training", 4))


def test_no_two_layers_share_their_noise(mobilenet: Settings) -> None:
    network = noisy(mobilenet)
    give_chance(network, [0], "x")
    seeds = [block.projection.activation._seeds[0] for block in network.blocks]
    assert len(set(seeds)) == len(seeds)


def test_a_toy_network_has_the_same_noise_in_a_batch_and_alone(toy: Settings) -> None:
    noise, plain = toy(width=3, projection_activation={"kind": "noise", "variance": 0.5}), toy(width=3)
    together, alone = ToyNetworks([plain, noise, noise]), ToyNetworks([noise])
    points = torch.randn(1, 7, 2).expand(3, -1, -1)
    with torch.no_grad():
        for parameter in (*together.parameters(), *alone.parameters()):
            parameter.fill_(0.3)
        give_chance(together, [1, 1, 2], "training", 5)
        give_chance(alone, [2], "training", 5)
        torch.testing.assert_close(together(points)[2], alone(points[2:])[0])
        assert not torch.equal(together(points)[1], together(points)[2])


def test_what_was_added_may_draw_from_the_runs_streams_too(mobilenet: Settings) -> None:
    class Jitter(nn.Module):
        def draw_from(self, seeds: Any) -> None:
            self.given = list(seeds)

        def forward(self, x: Tensor) -> Tensor:
            return x

    extend.activation("jitter")(Jitter)
    network = MobileNetV2(mobilenet("mobilenet_v2_digits", projection_activation="jitter"), 1)
    give_chance(network, [4], "training", 0)
    assert all(len(block.projection.activation.given) == 1 for block in network.blocks)


# Parameters that change over training


def test_a_slope_goes_from_1_to_0_in_the_first_half_and_stays(mobilenet: Settings) -> None:
    slope = {"from": 1, "to": 0, "until": 0.5}
    network = MobileNetV2(
        mobilenet("mobilenet_v2_digits", projection_activation={"kind": "leaky", "slope": slope}), 1
    )
    changing = Changing(network)
    z = torch.tensor([-4.0, 4.0])
    for progress, below in ((0.0, -4.0), (0.25, -2.0), (0.5, 0.0), (1.0, 0.0)):
        changing.go_to(progress)
        for block in network.blocks:
            assert torch.equal(block.projection.activation(z), torch.tensor([below, 4.0]))


def test_a_copy_of_a_network_keeps_its_noise(mobilenet: Settings) -> None:
    network, images = noisy(mobilenet), torch.randn(2, 1, 8, 8)
    give_chance(network, [0], "x")
    network(images)
    copied = copy.deepcopy(network)
    assert torch.equal(network(images), copied(images))
