"""The blocks against Table 1 of Sandler et al. 2018 and Fig. 3 of Zhou et al. 2020, written out plainly."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from bottleneck_lab.errors import LabError
from bottleneck_lab.models import InvertedResidual, Sandglass, madds, parameters
from bottleneck_lab.models.block import ConvNorm

LivedIn = Callable[[nn.Module, int], Any]

PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "relu": lambda x: torch.where(x > 0, x, 0),
    "relu6": lambda x: x.clamp(0, 6),
    "leaky_relu": lambda x: torch.where(x > 0, x, x / 100),
    "silu": lambda x: x / (1 + torch.exp(-x)),
}

activations = st.sampled_from(sorted(PLAIN))
places = st.sampled_from(["before_add", "after_add"])
widths = st.integers(1, 6)
kernels = st.sampled_from([1, 3, 5])


def images(channels: int, height: int = 6, width: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(channels)
    return torch.randn(2, channels, height, width, generator=generator, dtype=torch.float64) * 3


def conv_norm(x: Tensor, layer: ConvNorm, stride: int = 1) -> Tensor:
    """Convolution, then batch norm by its definition (Ioffe & Szegedy 2015, epsilon 1e-5)."""
    weight, norm = layer.conv.weight, layer.norm
    groups = x.shape[1] // weight.shape[1]
    y = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=groups)
    mean, var, scale, shift = (
        tensor[:, None, None] for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (y - mean) / (var + 1e-5).sqrt() * scale + shift


def inner_tensors(block: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Outputs of the block's named steps."""
    found: dict[str, Tensor] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda module, inputs, output: found.update({name: output})

    hooks = [step.register_forward_hook(note(name)) for name, step in block.named_children()]
    block(x)
    for hook in hooks:
        hook.remove()
    return found


# Table 1


@settings(deadline=None)
@given(
    knobs=st.fixed_dictionaries(
        {
            "inputs": widths,
            "outputs": widths,
            "stride": st.sampled_from([1, 1, 2, 3]),
            "expansion": st.sampled_from([0.25, 0.5, 1, 2, 3.5, 6]),
            "kernel": kernels,
            "projection_activation": activations,
            "projection_place": places,
            "inner_activation": activations,
            "shortcut": st.booleans(),
        }
    )
)
def test_a_block_is_table_1_written_out(lived_in: LivedIn, knobs: dict[str, Any]) -> None:
    block = lived_in(InvertedResidual(**knobs), 1)
    x = images(knobs["inputs"])

    inner, after = PLAIN[knobs["inner_activation"]], PLAIN[knobs["projection_activation"]]
    y = x if knobs["expansion"] == 1 else inner(conv_norm(x, block.expansion))
    y = inner(conv_norm(y, block.depthwise, knobs["stride"]))
    y = conv_norm(y, block.projection)
    shortcut = knobs["shortcut"] and knobs["stride"] == 1 and knobs["inputs"] == knobs["outputs"]
    if knobs["projection_place"] == "before_add":
        y = after(y) + x if shortcut else after(y)
    else:
        y = after(y + x if shortcut else y)

    torch.testing.assert_close(block(x), y)
    assert block.has_shortcut == shortcut


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("t", [2, 6])
def test_the_named_inner_tensors_have_the_shapes_of_table_1(stride: int, t: int) -> None:
    k, k_out, h, w = 4, 7, 12, 8
    found = inner_tensors(InvertedResidual(k, k_out, stride, t), torch.zeros(1, k, h, w))
    assert {name: tuple(tensor.shape[1:]) for name, tensor in found.items()} == {
        "expansion": (t * k, h, w),
        "depthwise": (t * k, h // stride, w // stride),
        "projection": (k_out, h // stride, w // stride),
        "output": (k_out, h // stride, w // stride),
    }


@pytest.mark.parametrize(("edge", "halved"), [(7, 4), (8, 4), (1, 1)])
def test_stride_2_halves_an_edge_and_rounds_up(edge: int, halved: int) -> None:
    block = InvertedResidual(2, 3, stride=2).eval()
    assert block(torch.zeros(1, 2, edge, edge)).shape == (1, 3, halved, halved)


def test_a_block_is_linear_after_its_projection_unless_told_otherwise() -> None:
    block = InvertedResidual(4, 4)
    kinds = {name: type(getattr(block, name)[-1]) for name in ("expansion", "depthwise", "projection")}
    assert kinds == {"expansion": nn.ReLU6, "depthwise": nn.ReLU6, "projection": nn.Identity}
    assert isinstance(block.output, nn.Identity)


def test_before_the_addition_only_what_is_added_is_rectified_and_after_it_the_sum(lived_in: LivedIn) -> None:
    linear, before, after = (
        lived_in(InvertedResidual(5, 5, projection_activation=name, projection_place=place), 2)
        for name, place in [("linear", "before_add"), ("relu", "before_add"), ("relu", "after_add")]
    )
    x = images(5)
    projected = linear(x) - x
    torch.testing.assert_close(before(x), x + projected.clamp(min=0))
    torch.testing.assert_close(after(x), (x + projected).clamp(min=0))
    assert (after(x) >= 0).all()
    assert (before(x) < 0).any()


def test_the_named_projection_is_what_is_added_to_the_input(lived_in: LivedIn) -> None:
    block = lived_in(InvertedResidual(5, 5, projection_activation="relu"), 2)
    x = images(5)
    torch.testing.assert_close(inner_tensors(block, x)["projection"] + x, block(x))


# Expansion ratios (Sec. 3.4)


@pytest.mark.parametrize("shortcut", [True, False])
def test_without_an_inner_layer_a_block_is_the_identity(shortcut: bool) -> None:
    block = InvertedResidual(5, 5, expansion=0, projection_activation="relu", shortcut=shortcut)
    assert parameters(block) == 0
    torch.testing.assert_close(block(images(5)), images(5), rtol=0, atol=0)


@pytest.mark.parametrize(("outputs", "stride"), [(7, 1), (5, 2)])
def test_without_an_inner_layer_a_change_of_shape_is_one_linear_map(
    lived_in: LivedIn, outputs: int, stride: int
) -> None:
    block = lived_in(InvertedResidual(5, outputs, stride, 0, projection_activation="relu"), 3)
    x, y = images(5), images(5).flip(0)
    torch.testing.assert_close(block(x) + block(y), block(x + y) + block(torch.zeros_like(x)))
    assert parameters(block) == 5 * outputs + 2 * outputs


@settings(deadline=None)
@given(widths, widths, kernels)
def test_at_expansion_1_there_is_no_expanding_convolution(k: int, k_out: int, kernel: int) -> None:
    block = InvertedResidual(k, k_out, expansion=1, kernel=kernel)
    assert isinstance(block.expansion, nn.Identity)
    assert parameters(block) == (kernel**2 * k + 2 * k) + (k * k_out + 2 * k_out)


def test_below_expansion_1_a_block_is_a_classical_bottleneck() -> None:
    found = inner_tensors(InvertedResidual(8, 8, expansion=0.25), torch.zeros(1, 8, 4, 4))
    assert found["depthwise"].shape[1] == 2
    assert found["output"].shape[1] == 8


@settings(deadline=None)
@given(widths, st.floats(0.3, 8))
def test_an_inner_width_is_rounded_to_the_nearest(k: int, t: float) -> None:
    inner = InvertedResidual(k, k, expansion=t).inner
    assert abs(inner - t * k) <= 0.5 or (inner == 1 and t * k < 1)


def test_the_thinnest_inner_layer_has_one_channel() -> None:
    assert InvertedResidual(3, 3, expansion=0.01).inner == 1


# Cost (Sec. 3.3)


@settings(deadline=None, max_examples=40)
@given(
    h=st.integers(1, 9),
    w=st.integers(1, 9),
    d=st.integers(1, 20),
    d_out=st.integers(1, 20),
    t=st.integers(2, 8),
    k=kernels,
)
def test_multiply_adds_are_those_of_section_3_3(h: int, w: int, d: int, d_out: int, t: int, k: int) -> None:
    block = InvertedResidual(d, d_out, expansion=t, kernel=k)
    assert madds(block, 1, d, h, w) == h * w * d * t * (d + k**2 + d_out)
    assert parameters(block) == d * t * (d + k**2 + d_out) + 2 * (2 * d * t + d_out)


@settings(deadline=None, max_examples=20)
@given(b=widths, wide=widths, wide_out=widths, stride=st.sampled_from([1, 2]), k=kernels)
def test_a_sandglass_costs_two_depthwise_and_two_pointwise_convolutions(
    b: int, wide: int, wide_out: int, stride: int, k: int
) -> None:
    pixels, pixels_out = 8 * 6, 8 * 6 // stride**2
    expected = pixels * (wide * k**2 + wide * b + b * wide_out) + pixels_out * wide_out * k**2
    assert madds(Sandglass(wide, b, wide_out, stride, kernel=k), 1, wide, 8, 6) == expected


def test_counting_leaves_the_network_as_it_was() -> None:
    block = InvertedResidual(3, 3)
    before = {name: tensor.clone() for name, tensor in block.state_dict().items()}
    madds(block, 1, 3, 4, 4)
    assert all(module.training for module in block.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in block.state_dict().items())
    madds(block.eval(), 1, 3, 4, 4)
    assert not any(module.training for module in block.modules())


# Sandglass


@settings(deadline=None)
@given(
    knobs=st.fixed_dictionaries(
        {
            "inputs": widths,
            "bottleneck": widths,
            "outputs": widths,
            "stride": st.sampled_from([1, 1, 2]),
            "kernel": kernels,
            "projection_activation": activations,
            "projection_place": places,
            "inner_activation": activations,
            "shortcut": st.booleans(),
        }
    )
)
def test_a_sandglass_is_its_figure_written_out(lived_in: LivedIn, knobs: dict[str, Any]) -> None:
    block = lived_in(Sandglass(**knobs), 4)
    x = images(knobs["inputs"])

    inner, after = PLAIN[knobs["inner_activation"]], PLAIN[knobs["projection_activation"]]
    before_add = knobs["projection_place"] == "before_add"
    y = inner(conv_norm(x, block.depthwise))
    y = conv_norm(y, block.projection)
    y = inner(conv_norm(after(y) if before_add else y, block.expansion))
    y = conv_norm(y, block.depthwise_out, knobs["stride"])
    if knobs["shortcut"] and knobs["stride"] == 1 and knobs["inputs"] == knobs["outputs"]:
        y = y + x

    torch.testing.assert_close(block(x), y if before_add else after(y))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_sandglass_is_wide_at_its_ends_and_thin_between_them(stride: int) -> None:
    wide, thin, wide_out, h, w = 12, 3, 18, 8, 6
    found = inner_tensors(Sandglass(wide, thin, wide_out, stride), torch.zeros(1, wide, h, w))
    assert {name: tuple(tensor.shape[1:]) for name, tensor in found.items()} == {
        "depthwise": (wide, h, w),
        "projection": (thin, h, w),
        "expansion": (wide_out, h, w),
        "depthwise_out": (wide_out, h // stride, w // stride),
        "output": (wide_out, h // stride, w // stride),
    }


@pytest.mark.parametrize("block", [InvertedResidual, partial(Sandglass, 8)])
def test_a_name_that_no_knob_has_is_answered_with_the_nearest_one(block: Callable[..., Any]) -> None:
    for knob, name, nearest in (
        ("projection_activation", "relu7", "relu"),
        ("inner_activation", "sliu", "silu"),
        ("projection_place", "after_ad", "after_add"),
    ):
        with pytest.raises(LabError, match=f"did you mean '{nearest}"):
            block(4, 8, **{knob: name})
