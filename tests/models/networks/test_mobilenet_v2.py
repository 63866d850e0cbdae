"""MobileNetV2 against Table 2, Fig. 5 and Fig. 7 of the paper and the official code's published counts."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bottleneck_lab.config import MobileNetV2Settings, RunSettings
from bottleneck_lab.models import MobileNetV2, cost_of, madds, make_divisible, parameters
from bottleneck_lab.models.block import ConvNorm

Settings = Callable[..., MobileNetV2Settings]

RESIDUALS = ["bottleneck", "expansion", "none", "sandglass"]

# Fig. 5: millions of MAdds by resolution and width multiplier.
FIGURE_5 = {
    224: {1.0: 300.84, 0.75: 209.13, 0.5: 97.20, 0.35: 59.35, 1.4: 582.29},
    192: {1.0: 221.36, 0.75: 153.99, 0.5: 71.75, 0.35: 43.94},
    160: {1.0: 154.12, 0.75: 107.33, 0.5: 50.22, 0.35: 30.91},
    128: {1.0: 99.10, 0.75: 69.15, 0.5: 32.60, 0.35: 20.24},
    96: {1.0: 56.30, 0.75: 39.46, 0.5: 18.90, 0.35: 11.95},
}

# The official README (tensorflow/models, research/slim/nets/mobilenet): MACs and parameters, in millions.
OFFICIAL_MACS = {
    224: {1.4: 582, 1.3: 509, 1.0: 300, 0.75: 209, 0.5: 97, 0.35: 59},
    192: {1.0: 221, 0.75: 153, 0.5: 71, 0.35: 43},
    160: {1.0: 154, 0.75: 107, 0.5: 50, 0.35: 30},
    128: {1.0: 99, 0.75: 69, 0.5: 32, 0.35: 20},
    96: {1.0: 56, 0.75: 39, 0.5: 18, 0.35: 11},
}
OFFICIAL_PARAMETERS = {1.4: 6.06, 1.3: 5.34, 1.0: 3.47, 0.75: 2.61, 0.5: 1.95, 0.35: 1.66}


@pytest.fixture(autouse=True)
def _counted_without_allocating() -> Iterator[None]:
    """Shapes and costs need no numbers; a test that does need them says so."""
    with torch.device("meta"):
        yield


# Published counts


def test_at_224_pixels_and_1000_classes_it_costs_what_torchvision_and_the_paper_say(
    mobilenet: Settings,
) -> None:
    network = MobileNetV2(mobilenet())
    assert parameters(network) == 3_504_872
    assert madds(network, 1, 3, 224, 224) == 300_774_272


def test_for_cifar_it_keeps_the_parameters_and_costs_88_million(
    mobilenet: Settings, run: Callable[..., RunSettings]
) -> None:
    cifar = run(mobilenet("mobilenet_v2_cifar"), dataset="cifar10")
    assert (cost_of(cifar).params, cost_of(cifar).madds) == (2_236_682, 87_976_448)


def test_counting_costs_draws_no_number_that_anybody_else_would_have_drawn(
    mobilenet: Settings, run: Callable[..., RunSettings]
) -> None:
    torch.manual_seed(7)
    undisturbed = torch.rand(3)
    torch.manual_seed(7)
    cost_of(run(mobilenet("mobilenet_v2_small", head_width=12), dataset="cifar10"))  # not counted before
    torch.testing.assert_close(torch.rand(3), undisturbed, rtol=0, atol=0)


def test_the_network_for_cpus_costs_3_to_5_million_in_bottlenecks_of_8_to_48_channels(
    mobilenet: Settings, run: Callable[..., RunSettings]
) -> None:
    settings = mobilenet("mobilenet_v2_small")
    cost = cost_of(run(settings, dataset="cifar10")).madds
    assert 3e6 <= cost <= 5e6
    widths = [block.outputs for block in MobileNetV2(settings, 3, 10).blocks]
    assert (min(widths), max(widths)) == (8, 48)


@pytest.fixture(scope="module")
def official(mobilenet: Settings) -> dict[float, MobileNetV2]:
    """Networks of the official code by width multiplier; it has a class for the background."""
    with torch.device("meta"):
        return {
            width: MobileNetV2(mobilenet(width_multiplier=width), 3, 1001) for width in OFFICIAL_PARAMETERS
        }


@pytest.mark.parametrize(
    ("resolution", "width"), [(r, w) for r, widths in OFFICIAL_MACS.items() for w in widths]
)
def test_every_point_of_figure_5_and_every_row_of_the_official_table_is_met(
    official: dict[float, MobileNetV2], resolution: int, width: float
) -> None:
    network = official[width]
    cost = madds(network, 1, 3, resolution, resolution)
    assert int(cost / 1e6) == OFFICIAL_MACS[resolution][width]  # the table cuts off
    if width in FIGURE_5[resolution]:
        # The figure counts the average pooling, too: an operation for each of its inputs.
        pooled = (resolution // 32) ** 2 * network.classifier.in_features
        assert (cost + pooled) / 1e6 == pytest.approx(FIGURE_5[resolution][width], abs=0.0051)


@pytest.mark.parametrize(("width", "millions"), OFFICIAL_PARAMETERS.items())
def test_parameters_without_batch_norm_are_those_of_the_official_table(
    official: dict[float, MobileNetV2], width: float, millions: float
) -> None:
    norms = sum(parameters(m) for m in official[width].modules() if isinstance(m, nn.BatchNorm2d))
    assert round((parameters(official[width]) - norms) / 1e6, 2) == millions


@pytest.mark.parametrize(("width", "last"), [(0.35, 1280), (0.75, 1280), (1.0, 1280), (1.4, 1792)])
def test_the_last_convolution_grows_but_never_shrinks(
    official: dict[float, MobileNetV2], width: float, last: int
) -> None:
    assert official[width].head.conv.out_channels == last


# Table 2


def test_resolutions_and_widths_are_those_of_table_2(mobilenet: Settings) -> None:
    network = MobileNetV2(mobilenet())
    shapes: list[tuple[int, ...]] = []
    for module in (network.stem, *network.blocks, network.head):
        module.register_forward_hook(lambda m, inputs, output: shapes.append(tuple(output.shape[1:])))
    logits = network(torch.zeros(2, 3, 224, 224))
    table = [(32, 112, 1), (16, 112, 1), (24, 56, 2), (32, 28, 3), (64, 14, 4), (96, 14, 3), (160, 7, 3)]
    table += [(320, 7, 1), (1280, 7, 1)]
    assert shapes == [(c, edge, edge) for c, edge, repeats in table for _ in range(repeats)]
    assert logits.shape == (2, 1000)


# Fig. 7: channels after the expansion of the 16 blocks that have one.
FIGURE_7 = [96, 144, 144, 192, 192, 192, 384, 384, 384, 384, 576, 576, 576, 960, 960, 960]
STRIDES = [2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]  # of these blocks, by Table 2


def test_expanded_widths_are_those_of_figure_7(mobilenet: Settings) -> None:
    first, *blocks = MobileNetV2(mobilenet()).blocks
    assert isinstance(first.expansion, nn.Identity)
    assert [block.expansion.conv.out_channels for block in blocks] == FIGURE_7
    assert [block.stride for block in blocks] == STRIDES


@pytest.mark.parametrize("network", ["mobilenet_v2", "mobilenet_v2_cifar"])
def test_ten_of_the_17_blocks_have_a_shortcut(mobilenet: Settings, network: str) -> None:
    built = MobileNetV2(mobilenet(network))
    assert len(built.blocks) == 17
    assert built.shortcuts == sum(block.has_shortcut for block in built.blocks) == 10


def test_shortcuts_between_expansions_fit_where_figure_7_repeats_a_width_at_stride_1(
    mobilenet: Settings,
) -> None:
    pairs = itertools.pairwise(zip(FIGURE_7, STRIDES, strict=True))
    fitting = [one == other and stride == 1 for (one, stride), (other, _) in pairs]
    network = MobileNetV2(mobilenet(residual="expansion"))
    assert network.expansions_joined == [False, False, *fitting]
    assert not any(block.has_shortcut for block in network.blocks)
    assert network.shortcuts == sum(fitting) == 10


def test_no_shortcut_between_expansions_crosses_a_change_of_resolution(mobilenet: Settings) -> None:
    stages = [{"c": 8, "n": 3, "s": 2}]
    network = MobileNetV2(mobilenet(residual="expansion", stages=stages, stem_width=8))
    assert len({block.inner for block in network.blocks}) == 1
    assert network.expansions_joined == [False, False, True]
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 1000)


def test_without_residuals_there_is_no_shortcut(mobilenet: Settings) -> None:
    assert MobileNetV2(mobilenet(residual="none")).shortcuts == 0


@pytest.mark.parametrize("residual", RESIDUALS)
def test_the_kernel_is_that_of_every_depthwise_convolution(mobilenet: Settings, residual: str) -> None:
    network = MobileNetV2(mobilenet(residual=residual, kernel=5))
    convolutions = [m for block in network.blocks for m in block.modules() if isinstance(m, nn.Conv2d)]
    depthwise = [conv for conv in convolutions if conv.groups > 1]
    assert len(depthwise) == (34 if residual == "sandglass" else 17)
    assert {conv.kernel_size for conv in depthwise} == {(5, 5)}
    assert {conv.kernel_size for conv in convolutions if conv.groups == 1} == {(1, 1)}


def test_a_stage_may_have_an_expansion_ratio_of_its_own(mobilenet: Settings) -> None:
    stages = [{"c": 8, "n": 2, "s": 1}, {"c": 8, "n": 1, "s": 1, "t": 3}]
    network = MobileNetV2(mobilenet(stages=stages, expansion=2, stem_width=8))
    assert [block.inner for block in network.blocks] == [16, 16, 24]


# Rounding


@given(st.floats(0.01, 5000), st.integers(1, 32))
def test_a_rounded_width_is_a_multiple_and_never_more_than_10_percent_below(
    width: float, divisor: int
) -> None:
    rounded = make_divisible(width, divisor)
    assert rounded % divisor == 0
    assert rounded >= divisor
    assert rounded >= 0.9 * width
    assert rounded - divisor < width, "nor more than one step above"


@given(st.integers(1, 300), st.integers(1, 32))
def test_a_multiple_is_left_alone(count: int, divisor: int) -> None:
    assert make_divisible(count * divisor, divisor) == count * divisor


@pytest.mark.parametrize(
    ("channels", "multiplier", "rounded"),
    [
        (32, 0.35, 16),  # 11.2: 8 would be 29 % less
        (24, 0.75, 24),  # 18: 16 would be 11 % less
        (96, 0.35, 32),  # 33.6: 32 is 5 % less
        (16, 0.35, 8),  # 5.6: the least there is
        (24, 0.5, 16),  # 12: halfway goes up
        (1280, 1.4, 1792),
    ],
)
def test_widths_of_the_official_networks(channels: int, multiplier: float, rounded: int) -> None:
    assert make_divisible(channels * multiplier) == rounded


# Where the shortcuts go


def tiny(mobilenet: Settings, lived_in: Callable[[nn.Module, int], Any], **knobs: Any) -> Any:
    """Three blocks of 4 channels, then one to 8 at stride 2 and another; real numbers."""
    stages = [{"c": 4, "n": 3, "s": 1}, {"c": 8, "n": 2, "s": 2}]
    settings = mobilenet(
        "mobilenet_v2_small", stem_width=4, stages=stages, head_width=8, expansion=2, **knobs
    )
    with torch.device("cpu"):
        return lived_in(MobileNetV2(settings, 3, 5), 1)


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"projection_activation": "relu"},
        {"projection_activation": "relu", "projection_place": "after_add"},
    ],
)
def test_shortcuts_between_expansions_add_the_expanded_tensor_of_the_block_before(
    mobilenet: Settings, lived_in: Callable[[nn.Module, int], Any], knobs: dict[str, str]
) -> None:
    network = tiny(mobilenet, lived_in, residual="expansion", **knobs)
    images = torch.linspace(-1, 1, 2 * 3 * 12 * 12, device="cpu", dtype=torch.float64).reshape(2, 3, 12, 12)
    a, b, c, d, e = network.blocks

    def rest(block: nn.Module, wide: torch.Tensor) -> torch.Tensor:
        return block.output(block.projection(block.depthwise(wide)))

    wide_a = a.expansion(network.stem(images))
    wide_b = b.expansion(rest(a, wide_a)) + wide_a
    wide_c = c.expansion(rest(b, wide_b)) + wide_b
    wide_d = d.expansion(rest(c, wide_c)) + wide_c  # 4 channels come in, so it is as wide as the one before
    wide_e = e.expansion(rest(d, wide_d))  # stride 2 and twice the width: nothing to add
    pooled = network.head(rest(e, wide_e)).mean((2, 3))
    torch.testing.assert_close(network(images), network.classifier(pooled))
    assert network.shortcuts == 3


@pytest.mark.parametrize("residual", ["bottleneck", "none", "sandglass"])
def test_otherwise_a_network_is_its_blocks_one_after_the_other(
    mobilenet: Settings, lived_in: Callable[[nn.Module, int], Any], residual: str
) -> None:
    network = tiny(mobilenet, lived_in, residual=residual)
    images = torch.linspace(-1, 1, 2 * 3 * 12 * 12, device="cpu", dtype=torch.float64).reshape(2, 3, 12, 12)
    x = network.stem(images)
    for block in network.blocks:
        x = block(x)
    torch.testing.assert_close(network(images), network.classifier(network.head(x).mean((2, 3))))
    assert network.shortcuts == {"bottleneck": 4, "none": 0, "sandglass": 3}[residual]


@pytest.mark.parametrize("network", ["mobilenet_v2_cifar", "mobilenet_v2_small"])
def test_moving_or_removing_the_shortcuts_changes_no_parameter_and_no_multiply_add(
    mobilenet: Settings, run: Callable[..., RunSettings], network: str
) -> None:
    settings = [mobilenet(network, residual=residual) for residual in ("bottleneck", "expansion", "none")]
    names = [[(n, p.shape) for n, p in MobileNetV2(s).named_parameters()] for s in settings]
    assert names[0] == names[1] == names[2]
    costs = [cost_of(run(s, dataset="cifar10")) for s in settings]
    assert len({(cost.params, cost.madds, cost.depthwise) for cost in costs}) == 1
    assert [cost.shortcuts for cost in costs] == [MobileNetV2(s).shortcuts for s in settings]


@pytest.mark.parametrize(
    ("name", "place"), [("relu6", "before_add"), ("leaky_relu", "before_add"), ("silu", "after_add")]
)
def test_no_activation_changes_parameters_or_multiply_adds(
    mobilenet: Settings, run: Callable[..., RunSettings], name: str, place: str
) -> None:
    linear = mobilenet("mobilenet_v2_small")
    other = mobilenet("mobilenet_v2_small", projection_activation=name, projection_place=place)
    assert cost_of(run(other, dataset="cifar10")) == cost_of(run(linear, dataset="cifar10"))


def test_in_a_sandglass_network_shortcuts_join_tensors_as_wide_as_the_expansions(mobilenet: Settings) -> None:
    network = MobileNetV2(mobilenet("mobilenet_v2_cifar", residual="sandglass"), 3, 10)
    thin = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320]  # Table 2
    assert [block.inner for block in network.blocks] == thin
    assert [block.outputs for block in network.blocks] == [16, *(6 * width for width in thin[1:])]
    assert network.shortcuts == 10


def test_every_inner_tensor_can_be_asked_for_by_name(mobilenet: Settings) -> None:
    network = MobileNetV2(mobilenet("mobilenet_v2_small"), 3, 10)
    for index, name in itertools.product(
        range(1, len(network.blocks)), ["expansion", "depthwise", "projection"]
    ):
        assert isinstance(network.get_submodule(f"blocks.{index}.{name}"), ConvNorm)
        assert network.get_submodule(f"blocks.{index}.output") is network.blocks[index].output


@pytest.mark.parametrize("residual", RESIDUALS)
def test_images_of_one_channel_and_a_few_pixels_will_do(mobilenet: Settings, residual: str) -> None:
    network = MobileNetV2(mobilenet("mobilenet_v2_digits", residual=residual), 1, 10)
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
