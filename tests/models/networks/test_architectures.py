"""MobileNetV1, ResNet and ShuffleNet against their published counts, and their blocks written out plainly."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn
from torch.nn import functional as F

from bottleneck_lab.config import Activation
from bottleneck_lab.config.networks.others import (
    ARCHITECTURES,
    ArchitectureSettings,
    MobileNetV1Settings,
    ResNetSettings,
    ShuffleNetSettings,
)
from bottleneck_lab.models import initialise, madds, parameters
from bottleneck_lab.models.activations import activation
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.models.networks.mobilenet_v1 import FullConvolution, MobileNetV1, SeparableConvolution
from bottleneck_lab.models.networks.resnet import Bottleneck, ResNet
from bottleneck_lab.models.networks.shufflenet import ChannelShuffle, ShuffleNet, ShuffleUnit

LivedIn = Callable[[nn.Module, int], Any]

SETTINGS: dict[str, type[ArchitectureSettings]] = {
    "mobilenet_v1": MobileNetV1Settings,
    "resnet": ResNetSettings,
    "shufflenet": ShuffleNetSettings,
}
NETWORK: dict[str, Callable[..., Any]] = {
    "mobilenet_v1": MobileNetV1,
    "resnet": ResNet,
    "shufflenet": ShuffleNet,
}
FAMILIES = list(SETTINGS)


def settings(network: str, **knobs: Any) -> Any:
    content = {"network": network, **ARCHITECTURES[network], **knobs}
    return SETTINGS[content["family"]].model_validate_json(json.dumps(content))


def build(network: str, channels: int = 3, classes: int = 1000, **knobs: Any) -> Any:
    chosen = settings(network, **knobs)
    return NETWORK[chosen.family](chosen, channels, classes)


@pytest.fixture
def _meta() -> Iterator[None]:
    """Shapes and costs need no numbers."""
    with torch.device("meta"):
        yield


# Published counts


@pytest.mark.usefixtures("_meta")
def test_mobilenet_v1_has_4_2_million_parameters_and_costs_569_million() -> None:
    network = build("mobilenet_v1")
    assert round(parameters(network) / 1e6, 1) == 4.2
    assert round(madds(network, 1, 3, 224, 224) / 1e6) == 569


# Fig. 5: millions of MAdds of MobileNetV1 by resolution and width multiplier.
FIGURE_5 = {
    224: {1.0: 568.8, 0.75: 316.9, 0.5: 149.5, 0.25: 41.0},
    192: {1.0: 418.1, 0.75: 233.1, 0.5: 110.0, 0.25: 34.1},
    160: {1.0: 290.7, 0.75: 162.1, 0.5: 76.5, 0.25: 21.1},
    128: {1.0: 186.4, 0.75: 104.0, 0.5: 49.2, 0.25: 13.6},
}


@pytest.mark.usefixtures("_meta")
@pytest.mark.parametrize(
    ("resolution", "width"), [(r, width) for r, row in FIGURE_5.items() for width in row]
)
def test_every_point_of_mobilenet_v1_in_figure_5_is_met_but_one(resolution: int, width: float) -> None:
    # At 0.75 the figure is met by a stem of 16 channels, though 0.75 x 32 is 24.
    stem = {"stem_width": 21} if width == 0.75 else {}
    network = build("mobilenet_v1", classes=1001, width_multiplier=width, **stem)
    assert width != 0.75 or network.stem.conv.out_channels == 16
    pooled = (resolution // 32) ** 2 * network.classifier.in_features  # counted in the figure
    cost = (madds(network, 1, 3, resolution, resolution) + pooled) / 1e6
    if (resolution, width) == (192, 0.25):
        # 34.1 fits no resolution between its neighbours: (192/224)^2 of 41.0 is 30.1.
        assert cost == pytest.approx(41.0 * (192 / 224) ** 2, rel=0.01)
    else:
        assert cost == pytest.approx(FIGURE_5[resolution][width], abs=0.11)


# Howard et al. 2017, Tables 6 and 7: millions of MAdds, 1000 classes.
@pytest.mark.usefixtures("_meta")
@pytest.mark.parametrize(
    ("width", "resolution", "millions"),
    [(1, 224, 569), (0.75, 224, 325), (0.5, 224, 149), (0.25, 224, 41), (1, 192, 418), (1, 128, 186)],
)
def test_mobilenet_v1_costs_what_its_own_paper_says(width: float, resolution: int, millions: int) -> None:
    cost = madds(build("mobilenet_v1", width_multiplier=width), 1, 3, resolution, resolution)
    assert cost / 1e6 == pytest.approx(millions, abs=0.51)


# Howard et al. 2017, Table 4: 29.3 M parameters and 4866 M MAdds (the latter without the classifier).
@pytest.mark.usefixtures("_meta")
def test_full_convolutions_cost_what_howard_et_al_say() -> None:
    network = build("mobilenet_v1", convolution="full")
    assert round(parameters(network) / 1e6, 1) == 29.3
    cost = madds(network, 1, 3, 224, 224) - network.classifier.weight.numel()
    assert round(cost / 1e6) == 4866


@pytest.mark.usefixtures("_meta")
def test_resnet_has_the_parameters_of_torchvision_and_costs_4_09_billion() -> None:
    network = build("resnet")
    assert parameters(network) == 25_557_032
    assert round(madds(network, 1, 3, 224, 224) / 1e9, 2) == 4.09


# Zhang et al. 2018, Tables 2 and 5; Sandler et al. 2018, Table 4 and Fig. 5. Both in millions.
@pytest.mark.usefixtures("_meta")
@pytest.mark.parametrize(
    ("width", "cost", "size"), [(2.0, 524, 5.4), (1.5, 292, 3.4), (0.5, 38, None), (0.25, 13, None)]
)
def test_shufflenet_costs_what_its_paper_says(width: float, cost: int, size: float | None) -> None:
    network = build("shufflenet", width_multiplier=width)
    assert round(madds(network, 1, 3, 224, 224) / 1e6) == cost
    if size is not None:
        norms = sum(parameters(m) for m in network.modules() if isinstance(m, nn.BatchNorm2d))
        assert round((parameters(network) - norms) / 1e6, 1) == size


# Zhang et al. 2018, Table 1.
@pytest.mark.usefixtures("_meta")
def test_shapes_of_shufflenet_are_those_of_its_table() -> None:
    network = build("shufflenet")
    shapes = []
    for module in (network.stem.convolution, network.stem, *network.blocks):
        module.register_forward_hook(lambda m, inputs, output: shapes.append(tuple(output.shape[1:])))
    assert network(torch.zeros(2, 3, 224, 224)).shape == (2, 1000)
    table = [(24, 112, 1), (24, 56, 1), (240, 28, 4), (480, 14, 8), (960, 7, 4)]
    assert shapes == [(c, edge, edge) for c, edge, repeats in table for _ in range(repeats)]
    groups = [unit.projection.conv.groups for unit in network.blocks]
    assert groups == [1] + 15 * [3], "only the first unit's reduction is not grouped"


@pytest.mark.usefixtures("_meta")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_small_network_costs_1_to_5_million_with_thin_tensors_of_8_to_48_channels(family: str) -> None:
    network = build(f"{family}_small", classes=10)
    assert 1e6 <= madds(network, 1, 3, 32, 32) <= 5e6
    thin = [block.projection.conv.out_channels for block in network.blocks]
    assert (min(thin), max(thin)) == (8, 48)


@pytest.mark.usefixtures("_meta")
@pytest.mark.parametrize("family", FAMILIES)
def test_for_cifar_only_the_stride_is_reduced(family: str) -> None:
    original, cifar = build(family), build(f"{family}_cifar")
    assert parameters(cifar) <= parameters(original)
    assert [b.outputs for b in cifar.blocks] == [b.outputs for b in original.blocks]
    last = []
    cifar.blocks[-1].register_forward_hook(lambda m, inputs, output: last.append(output.shape[-1]))
    assert cifar(torch.zeros(2, 3, 32, 32)).shape == (2, 1000)
    assert last[0] >= 4


@pytest.mark.usefixtures("_meta")
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_turns_images_of_its_data_into_logits(name: str) -> None:
    channels, edge = (1, 8) if name.endswith("digits") else (3, 32)
    assert build(name, channels, 10)(torch.zeros(2, channels, edge, edge)).shape == (2, 10)


# The switch


@pytest.mark.usefixtures("_meta")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_projection_switch_changes_one_activation_in_every_block_and_nothing_else(family: str) -> None:
    own, linear = build(family), build(family, projection_activation="linear")
    assert all(isinstance(block.projection.activation, nn.ReLU) for block in own.blocks)
    kinds = [[(name, type(module)) for name, module in network.named_modules()] for network in (own, linear)]
    changed = [name for (name, one), (_, other) in zip(*kinds, strict=True) if one != other]
    assert changed == [f"blocks.{index}.projection.activation" for index in range(len(own.blocks))]
    assert [(n, p.shape) for n, p in own.named_parameters()] == [
        (n, p.shape) for n, p in linear.named_parameters()
    ]


@pytest.mark.usefixtures("_meta")
def test_the_switch_follows_the_dense_convolution_too() -> None:
    network = build("mobilenet_v1", convolution="full", projection_activation="silu")
    assert all(isinstance(block.convolution.activation, nn.SiLU) for block in network.blocks)


INNER = {
    "mobilenet_v1": ["depthwise", "projection"],
    "resnet": ["projection", "convolution", "expansion", "output"],
    "shufflenet": ["projection", "depthwise", "expansion", "output"],
}


@pytest.mark.usefixtures("_meta")
@pytest.mark.parametrize("family", FAMILIES)
def test_every_inner_tensor_can_be_asked_for_by_name(family: str) -> None:
    network = build(f"{family}_small", classes=10)
    for index in range(len(network.blocks)):
        for name in INNER[family]:
            module = network.get_submodule(f"blocks.{index}.{name}")
            assert isinstance(module, nn.ReLU if name == "output" else ConvNorm)


@pytest.mark.usefixtures("_meta")
def test_shortcuts_are_counted() -> None:
    assert [build(family).shortcuts for family in FAMILIES] == [0, 16, 16]
    assert not build("mobilenet_v1").blocks[0].has_shortcut


# The blocks, written out plainly

widths = st.integers(1, 5)
strides = st.integers(1, 3)
activations = st.sampled_from(["leaky_relu", "linear", "relu", "relu6", "silu"])


def plain(layer: ConvNorm, x: torch.Tensor, then: str, stride: int = 1) -> torch.Tensor:
    """Convolution, normalisation by the running statistics, activation; from first principles."""
    conv, norm = layer.conv, layer.norm
    x = F.conv2d(x, conv.weight, None, stride, conv.weight.shape[-1] // 2, groups=conv.groups)
    each = (slice(None), None, None)
    x = (x - norm.running_mean[each]) / (norm.running_var[each] + norm.eps).sqrt()
    return activation(then)(x * norm.weight[each] + norm.bias[each])


def image(channels: int) -> torch.Tensor:
    return torch.linspace(-2, 2, 2 * channels * 49, dtype=torch.float64).reshape(2, channels, 7, 7).sin() * 3


@given(widths, widths, strides, activations, activations)
def test_a_separable_convolution_is_depthwise_then_pointwise(
    lived_in: LivedIn, inputs: int, outputs: int, stride: int, switch: Activation, inner: Activation
) -> None:
    block = lived_in(
        SeparableConvolution(inputs, outputs, stride, projection_activation=switch, inner_activation=inner), 0
    )
    y = plain(block.depthwise, image(inputs), inner, stride)
    torch.testing.assert_close(block(image(inputs)), plain(block.projection, y, switch))
    assert block.depthwise.conv.weight.shape == (inputs, 1, 3, 3)


@given(widths, widths, strides, activations)
def test_a_full_convolution_is_one_layer(
    lived_in: LivedIn, inputs: int, outputs: int, stride: int, switch: Activation
) -> None:
    block = lived_in(FullConvolution(inputs, outputs, stride, projection_activation=switch), 0)
    expected = plain(block.convolution, image(inputs), switch, stride)
    torch.testing.assert_close(block(image(inputs)), expected)
    assert block.convolution.conv.weight.shape == (outputs, inputs, 3, 3)


@given(st.sampled_from([(4, 4, 1), (4, 8, 1), (4, 8, 2), (4, 4, 2)]), activations, activations)
def test_a_bottleneck_reduces_convolves_expands_and_adds(
    lived_in: LivedIn, shape: tuple[int, int, int], switch: Activation, inner: Activation
) -> None:
    inputs, outputs, stride = shape
    block = lived_in(
        Bottleneck(inputs, outputs, stride, 2, projection_activation=switch, inner_activation=inner), 0
    )
    x = image(inputs)
    y = plain(block.projection, x, switch)
    assert y.shape[1] == outputs // 2
    y = plain(block.expansion, plain(block.convolution, y, inner, stride), "linear")
    if shape != (4, 4, 1):
        x = plain(block.shortcut, x, "linear", stride)
    torch.testing.assert_close(block(image(inputs)), (x + y).relu())


@given(st.sampled_from([(8, 8, 1), (8, 16, 1), (8, 16, 2)]), activations, activations)
def test_a_shuffle_unit_adds_or_appends(
    lived_in: LivedIn, shape: tuple[int, int, int], switch: Activation, inner: Activation
) -> None:
    inputs, outputs, stride = shape
    block = lived_in(
        ShuffleUnit(inputs, outputs, stride, 2, projection_activation=switch, inner_activation=inner), 0
    )
    x = image(inputs)
    y = plain(block.projection, x, switch)
    half = y.shape[1] // 2
    assert half == outputs // 8
    y = torch.stack([y[:, i % 2 * half + i // 2] for i in range(2 * half)], dim=1)
    y = plain(block.expansion, plain(block.depthwise, y, inner, stride), "linear")
    if stride == 2:
        x = F.avg_pool2d(x, 3, 2, 1)
    expected = x + y if shape == (8, 8, 1) else torch.cat((x, y), 1)
    torch.testing.assert_close(block(image(inputs)), expected.relu())


@given(st.integers(1, 6), st.integers(1, 6))
def test_a_shuffle_mixes_the_groups_and_is_undone_by_the_shuffle_of_as_many_as_a_group_had(
    groups: int, each: int
) -> None:
    x = torch.arange(groups * each).reshape(1, -1, 1, 1)
    mixed = ChannelShuffle(groups)(x)
    assert mixed.flatten()[:groups].tolist() == [group * each for group in range(groups)]
    assert torch.equal(ChannelShuffle(each)(mixed), x)


# Initial weights, and what is refused


@pytest.mark.parametrize("family", FAMILIES)
def test_variants_of_one_seed_start_with_the_same_weights(family: str) -> None:
    own, linear = (
        build(f"{family}_digits", 1, 10, projection_activation=switch) for switch in ("relu", "linear")
    )
    for network in (own, linear):
        initialise(network, 3)
    for (name, one), other in zip(own.named_parameters(), linear.parameters(), strict=True):
        assert torch.equal(one, other), name
    thin = own.blocks[-1].projection.conv.weight.detach()
    assert float(thin.std()) == pytest.approx((2 / thin[0].numel()) ** 0.5, rel=0.25)
    assert torch.isfinite(own(torch.ones(4, 1, 8, 8))).all()


@pytest.mark.parametrize(
    ("network", "knobs", "reason"),
    [
        ("mobilenet_v1", {"kernel": 4}, "only odd kernels"),
        ("resnet", {"stem_kernel": 2}, "only odd kernels"),
        ("shufflenet", {"groups": 5}, "a stem of 24 channels has no 5 equal groups"),
        ("shufflenet", {"stages": [{"c": 24, "n": 1, "s": 2}]}, "the width must grow"),
        ("shufflenet_small", {"stem_width": 40}, "the width must grow"),
        ("mobilenet_v1", {"expansion": 6}, "Extra inputs"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_reason(
    network: str, knobs: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        settings(network, **knobs)
