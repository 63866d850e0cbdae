"""Activations, blocks and placements of shortcuts from outside: used as they are, or refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bottleneck_lab import extend
from bottleneck_lab.config import MobileNetV2Settings, RunSettings, ToyNetworkSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.models import MobileNetV2, ToyNetworks, cost_of, initialise, madds, parameters
from bottleneck_lab.models.activations import activation
from bottleneck_lab.models.drawing import draw_block

Settings = Callable[..., MobileNetV2Settings]
Run = Callable[..., RunSettings]
Toy = Callable[..., ToyNetworkSettings]

STAGES = [{"c": 4, "n": 1, "s": 1}, {"c": 6, "n": 2, "s": 2}]


def small(mobilenet: Settings, **knobs: Any) -> MobileNetV2Settings:
    return mobilenet("mobilenet_v2_digits", stages=STAGES, channel_multiple=2, head_width=16, **knobs)


class Half(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[..., :1]


class Doubling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(2)


class Plain(nn.Module):
    """A 3x3 convolution with a scale of its own, and a shortcut where one fits."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: float, settings: Any) -> None:
        super().__init__()
        self.given = (inputs, outputs, stride, expansion, settings)
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.scale = nn.Parameter(torch.full((1, outputs, 1, 1), 0.5))
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.scale * self.conv(x)
        return x + y if self.has_shortcut else y


# Activations


def test_an_added_activation_stands_where_its_name_is(mobilenet: Settings, toy: Toy) -> None:
    extend.activation("mish")(nn.Mish)
    network = MobileNetV2(small(mobilenet, projection_activation="mish", inner_activation="mish"), 1, 10)
    assert isinstance(network.blocks[1].projection.activation, nn.Mish)
    assert isinstance(network.blocks[1].depthwise.activation, nn.Mish)
    toys = ToyNetworks([toy(width=2, projection_activation=name) for name in ("mish", "silu", "mish")])
    x = torch.linspace(-3, 3, 3 * 5 * 2).reshape(3, 5, 2)
    mish = x * torch.tanh(torch.log1p(x.exp()))  # Misra 2019
    expected = torch.stack([mish[0], x[1] * x[1].sigmoid(), mish[2]])
    torch.testing.assert_close(toys.blocks[0].projection[1](x), expected)


def test_every_place_has_a_module_of_its_own(mobilenet: Settings) -> None:
    extend.activation("mine")(nn.PReLU)
    network = MobileNetV2(small(mobilenet, projection_activation="mine"), 1, 10)
    slopes = {id(module.weight) for module in network.modules() if isinstance(module, nn.PReLU)}
    assert len(slopes) == 3


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: None, "the activation 'odd' must return a torch.nn.Module, not None"),
        (lambda: torch.relu, "must return a torch.nn.Module"),
        (Half, r"'odd' must keep the shape: \(1, 3, 4, 4\) became \(1, 3, 4, 1\)"),
        (Doubling, "'odd' changes its input, which others read: return a new tensor"),
        (lambda slope: nn.ReLU(), "the activation 'odd' cannot be made: TypeError"),
        (nn.ReLU(), "the activation 'odd' cannot be made: TypeError"),  # a module, not its class
        (lambda: 1 / 0, "the activation 'odd' cannot be made: ZeroDivisionError: division by zero"),
        (lambda: nn.Hardswish(inplace=True), "works in place"),
        (lambda: nn.Sequential(nn.ReLU(inplace=True)), "works in place"),
    ],
)
def test_what_is_no_activation_is_named(make: Any, sentence: str) -> None:
    extend.activation("odd")(make)
    with pytest.raises(LabError, match=sentence):
        activation("odd")


def test_toy_networks_take_no_activation_whose_parameters_they_would_share(toy: Toy, run: Run) -> None:
    extend.activation("odd")(nn.PReLU)
    with pytest.raises(LabError, match="the activation 'odd' has parameters"):
        cost_of(run(toy(width=2, projection_activation="odd"), dataset="spiral"))


@pytest.mark.parametrize("use", [cost_of, draw_block])
def test_an_activation_that_fails_is_named(
    mobilenet: Settings, run: Run, use: Callable[[RunSettings], object]
) -> None:
    extend.activation("odd")(lambda: nn.GLU(dim=1))  # halves the channels
    with pytest.raises(LabError, match="no network with 'odd' can be run on digits: RuntimeError"):
        use(run(small(mobilenet, projection_activation="odd"), dataset="digits"))


# Blocks


def test_an_added_block_is_given_its_shape_and_the_settings(mobilenet: Settings) -> None:
    extend.block("plain")(Plain)
    settings = small(mobilenet, block="plain", expansion=3)
    network = MobileNetV2(settings, 1, 10)
    assert [block.given for block in network.blocks] == [
        (16, 4, 1, 3, settings),
        (4, 6, 2, 3, settings),
        (6, 6, 1, 3, settings),
    ]
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert network.shortcuts == 1


def test_the_cost_of_an_added_block_is_counted_by_the_formula(mobilenet: Settings, run: Run) -> None:
    extend.block("plain")(Plain)
    cost = cost_of(run(small(mobilenet, block="plain"), dataset="digits"))
    # Stem, three 3x3 blocks, head, classifier: 8 x 8 pixels, then 4 x 4.
    assert cost.madds == 64 * 9 * 16 + 9 * (64 * 16 * 4 + 16 * 4 * 6 + 16 * 6 * 6) + 16 * 6 * 16 + 16 * 10
    assert (cost.shortcuts, cost.depthwise) == (1, 0)


def test_convolutions_of_an_added_block_start_as_others_do_and_its_own_parameters_as_it_says(
    mobilenet: Settings,
) -> None:
    extend.block("plain")(Plain)
    networks = [MobileNetV2(small(mobilenet, block="plain"), 1, 10) for _ in range(2)]
    for network in networks:
        initialise(network, 7)
    for network in networks:
        conv = network.blocks[0].conv
        assert torch.equal(network.blocks[0].scale, torch.full((1, 4, 1, 1), 0.5))
        assert torch.equal(conv.bias, torch.zeros(4))
        assert conv.weight.std().item() == pytest.approx((2 / (9 * 16)) ** 0.5, rel=0.2)  # He et al. 2015
        assert torch.equal(conv.weight, networks[0].blocks[0].conv.weight)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda i, o, s, t, k: nn.Conv2d(i, o + 1, 3, s, 1),
            r"must turn \[1, 16, 8, 8\] into \[1, 4, 8, 8\]",
        ),
        (lambda i, o, s, t, k: nn.Conv2d(i, o, 3, s), r"the block 'odd' must turn .* not \[1, 4, 6, 6\]"),
        (lambda i, o, s, t, k: nn.Conv2d(i, o, 1), r"into \[1, 6, 4, 4\] \(stride 2\), not \[1, 6, 8, 8\]"),
        (lambda i, o, s, t, k: nn.LSTM(8, o), "the block 'odd' must turn|no network with 'odd'"),
        (lambda i, o, s, t, k: None, "the block 'odd' must return a torch.nn.Module, not None"),
        (lambda i, o: nn.Identity(), "the block 'odd' cannot be made: TypeError"),
        (lambda i, o, s, t, k: nn.Conv2d(i + 1, o, 1), "no network with 'odd' can be run on digits"),
    ],
)
def test_what_is_no_block_is_named_before_anything_is_trained(
    mobilenet: Settings, run: Run, make: Any, sentence: str
) -> None:
    extend.block("odd")(make)
    with pytest.raises(LabError, match=sentence):
        cost_of(run(small(mobilenet, block="odd"), dataset="digits"))


def test_a_block_may_look_at_the_numbers_it_is_given(mobilenet: Settings, run: Run) -> None:
    @extend.block("looking")
    class Looking(Plain):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x / max(float(x.abs().max()), 1.0))

    assert cost_of(run(small(mobilenet, block="looking"), dataset="digits")).madds > 0


def test_a_network_with_added_blocks_can_be_described(mobilenet: Settings, run: Run) -> None:
    extend.block("plain")(Plain)
    drawn = draw_block(run(small(mobilenet, block="plain"), dataset="digits"))
    assert drawn == "blocks.0 is a Plain, which makes 8 x 8 x 4"


# Placements of shortcuts


def run_twice(blocks: nn.ModuleList, x: Tensor) -> Tensor:
    """The first block, and the others with a shortcut around each pair where it fits."""
    x = blocks[0](x)
    y = blocks[2](blocks[1](x))
    return y + x if y.shape == x.shape else y


def test_an_added_placement_runs_the_blocks_which_have_no_shortcuts_of_their_own(
    mobilenet: Settings, lived_in: Callable[[nn.Module, int], Any]
) -> None:
    extend.residual("pairs")(run_twice)
    stages = [{"c": 4, "n": 3, "s": 1}]
    settings = mobilenet("mobilenet_v2_digits", stages=stages, residual="pairs", expansion=2)
    network = lived_in(MobileNetV2(settings, 1, 10), 1)
    assert not any(block.has_shortcut for block in network.blocks)
    images = torch.linspace(-1, 1, 2 * 64, dtype=torch.float64).reshape(2, 1, 8, 8)
    a = network.blocks[0](network.stem(images))
    pooled = network.head(a + network.blocks[2](network.blocks[1](a))).mean((2, 3))
    torch.testing.assert_close(network(images), network.classifier(pooled))


def test_how_many_shortcuts_an_added_placement_has_is_not_known_but_its_cost_is(
    mobilenet: Settings, run: Run
) -> None:
    extend.residual("pairs")(run_twice)
    own = cost_of(run(small(mobilenet, residual="pairs"), dataset="digits"))
    none = cost_of(run(small(mobilenet, residual="none"), dataset="digits"))
    assert own.shortcuts is None
    assert (own.params, own.madds, own.depthwise) == (none.params, none.madds, none.depthwise)


@pytest.mark.parametrize("place", [lambda blocks, x: x, lambda blocks, x: None, lambda blocks: blocks])
def test_a_placement_that_returns_something_else_is_named(mobilenet: Settings, run: Run, place: Any) -> None:
    extend.residual("odd")(place)
    with pytest.raises(LabError, match="no network with 'odd' can be run on digits"):
        cost_of(run(small(mobilenet, residual="odd"), dataset="digits"))


def test_an_added_placement_is_described(mobilenet: Settings, run: Run) -> None:
    extend.residual("pairs")(run_twice)
    assert "blocks.2" in draw_block(run(small(mobilenet, residual="pairs"), dataset="digits"))


def test_counting_leaves_parameters_and_mode_alone(mobilenet: Settings) -> None:
    extend.block("plain")(Plain)
    network = MobileNetV2(small(mobilenet, block="plain"), 1, 10)
    before = [parameter.clone() for parameter in network.parameters()]
    assert madds(network, 1, 1, 8, 8) > 0
    assert network.training
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert parameters(network) == sum(tensor.numel() for tensor in before)
