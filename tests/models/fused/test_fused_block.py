"""The fused kernel computes what PyTorch computes; how exactly, PyTorch in float64 is the judge of."""

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bottleneck_lab.config import NETWORKS
from bottleneck_lab.models import fused
from bottleneck_lab.models.block import ConvNorm, InvertedResidual
from bottleneck_lab.models.fused import functions

pytestmark = pytest.mark.usefixtures("fused_kernel")

TOLERANCE = 2e-5  # relative, of each tensor as a whole


def shapes_of_the_catalogue() -> list[tuple[int, int, int, float, int]]:
    """Inputs, outputs, stride, expansion and edge of every block of the CIFAR networks, each once."""
    shapes = []
    for name, edge in (("mobilenet_v2_small", 32), ("mobilenet_v2_digits", 8), ("mobilenet_v2_cifar", 32)):
        table = NETWORKS[name]
        width, edge = table["stem_width"], edge // table["stem_stride"]
        for stage in table["stages"]:
            for repeat in range(stage["n"]):
                stride = stage["s"] if repeat == 0 else 1
                shapes.append((width, stage["c"], stride, stage.get("t") or 6, edge))
                width, edge = stage["c"], -(-edge // stride)
    return list(dict.fromkeys(shapes))


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """Norms away from their beginning, so that both ends of every clamp are reached."""
    torch.manual_seed(seed)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0.5, 1.0)
            nn.init.normal_(norm.running_mean)
    return module.to(memory_format=torch.channels_last)


def images(count: int, channels: int, height: int, width: int, offset: float = 1.0) -> Tensor:
    x = torch.randn(count, channels, height, width) + offset * torch.randn(1, channels, 1, 1)
    return x.to(memory_format=torch.channels_last)


def everything(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Output, all gradients of a random linear function of it, and all buffers after one step in training."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    y = module(x)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y.dtype)
    (y * weights).sum().backward()
    found = {"output": y.detach(), "input's gradient": x.grad}
    found |= {f"gradient of {name}": parameter.grad for name, parameter in module.named_parameters()}
    return found | dict(module.named_buffers())


def distance(one: Tensor, other: Tensor) -> float:
    one, other = one.double(), other.double()
    return float((one - other).norm() / other.norm().clamp(min=1e-6))


def worst(module: nn.Module, x: Tensor) -> tuple[float, str]:
    """The tensor that is furthest from float64, and how far: the fused module's."""
    exact = everything(copy.deepcopy(module).double(), x.double())
    quick = copy.deepcopy(module)
    fused.fuse(quick)
    assert is_fused(copy.deepcopy(quick), x.clone())
    found = everything(quick, x)
    assert found.keys() == exact.keys()
    return max((distance(found[name], exact[name]), name) for name in exact)


def without_ties(module: InvertedResidual, x: Tensor) -> bool:
    """Whether no value lies so near an edge of its clamp that rounding may decide where its gradient goes."""
    edges = []

    def look(norm: nn.Module, _: object, output: Tensor) -> None:
        edges.append(float(torch.minimum(output.abs(), (output - 6).abs()).detach().min()))

    probe = copy.deepcopy(module).double()
    for stage in (probe.expansion, probe.depthwise):
        if isinstance(stage, ConvNorm):
            stage.norm.register_forward_hook(look)
    probe(x.double())
    return min(edges) > 1e-7


@pytest.mark.parametrize("shape", shapes_of_the_catalogue(), ids=str)
def test_every_block_of_the_catalogue_is_computed_to_rounding(
    shape: tuple[int, int, int, float, int],
) -> None:
    inputs, outputs, stride, expansion, edge = shape
    block = randomised(InvertedResidual(inputs, outputs, stride, expansion), seed=inputs + outputs)
    error, name = worst(block, images(8 if inputs < 64 else 2, inputs, edge, edge))
    assert error < TOLERANCE, name


@settings(max_examples=40)
@given(
    inputs=st.integers(4, 40),  # the weight of a norm's only input has no gradient, only rounding
    outputs=st.integers(1, 40),
    stride=st.sampled_from([1, 2]),
    expansion=st.sampled_from([1, 0.5, 1.5, 3, 6]),
    count=st.integers(1, 9),
    height=st.integers(1, 11),
    width=st.integers(1, 11),
    inner=st.sampled_from(["relu6", "relu", "linear"]),
    projection=st.sampled_from(["linear", "relu6", "leaky_relu", "silu"]),
    place=st.sampled_from(["before_add", "after_add"]),
)
def test_blocks_of_any_size_agree_with_float64(
    inputs: int,
    outputs: int,
    stride: int,
    expansion: float,
    count: int,
    height: int,
    width: int,
    inner: str,
    projection: str,
    place: str,
) -> None:
    block = randomised(
        InvertedResidual(
            inputs,
            outputs,
            stride,
            expansion,
            inner_activation=inner,
            projection_activation=projection,
            projection_place=place,
        )
    )
    x = images(count, inputs, height, width)
    if count * -(-height // stride) * -(-width // stride) < 5 or not without_ties(block, x):
        reject()  # so few values have hardly a variance, and its rounding is all that is seen
    # A function of few values is less smooth: what eager float32 loses is allowed to both.
    exact = everything(copy.deepcopy(block).double(), x.double())
    eager = everything(copy.deepcopy(block), x)
    quick = copy.deepcopy(block)
    fused.fuse(quick)
    # Gradients that are 0 in exact arithmetic (a shift before a norm, say) are held to the others' scale.
    scale = max(float(value.norm()) for name, value in exact.items() if "gradient" in name)
    for name, value in everything(quick, x).items():
        allowed = 1e-4 + 3 * distance(eager[name], exact[name])
        error = distance(value, exact[name])
        assert error < allowed or error * float(exact[name].norm()) < 1e-5 * scale, name


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_statistics_of_the_expansion_are_exact_where_the_input_is_far_from_zero(offset: float) -> None:
    block = randomised(InvertedResidual(12, 12))
    assert worst(block, images(16, 12, 8, 8, offset))[0] < TOLERANCE


@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "stride"), [(3, 16, 3, 2), (1, 8, 3, 1), (24, 96, 1, 1)]
)
@pytest.mark.parametrize("activation", ["relu6", "relu", "linear"])
def test_stem_and_head_are_computed_to_rounding(
    inputs: int, outputs: int, kernel: int, stride: int, activation: str
) -> None:
    module = randomised(ConvNorm(inputs, outputs, kernel, stride, then=activation))
    x = images(7, inputs, 9, 9)
    exact, quick = copy.deepcopy(module).double(), copy.deepcopy(module)
    assert fused.fuse(quick) == 1
    results = []
    for each, into in ((exact, x.double()), (quick, x)):
        into = into.requires_grad_(kernel == 1)  # a stem's images need no gradient
        y = each(into)
        (y * torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y.dtype)).sum().backward()
        found = {name: parameter.grad for name, parameter in each.named_parameters()}
        found |= dict(each.named_buffers())
        results.append(found | ({"input": into.grad} if kernel == 1 else {}))
    assert max(distance(results[1][name], results[0][name]) for name in results[0]) < TOLERANCE


def is_fused(block: nn.Module, x: Tensor) -> bool:
    y = block(x.requires_grad_())
    graph, seen = [y.grad_fn], set()
    while graph:
        node = graph.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if "Function" in type(node).__name__ and type(node).__name__ != "Function":
            return True
        graph += [before for before, _ in node.next_functions]
    return False


def fused_block(**knobs: object) -> InvertedResidual:
    block = randomised(InvertedResidual(6, 6, **knobs))
    fused.fuse(block)
    assert isinstance(block, InvertedResidual)
    return block


def test_a_fused_block_is_fused_in_training() -> None:
    assert is_fused(fused_block(), images(4, 6, 5, 5))


@pytest.mark.parametrize(
    "place", ["expansion", "depthwise", "projection", "depthwise.norm", "expansion.conv"]
)
def test_who_looks_at_an_inner_tensor_sees_it_as_ever(place: str) -> None:
    block, x, seen = fused_block(), images(4, 6, 5, 5), []
    plain = copy.deepcopy(block)
    fused.fuse(plain, on=False)
    for each in (block, plain):
        each.get_submodule(place).register_forward_hook(lambda module, given, output: seen.append(output))
        each(x)
    assert torch.allclose(*seen, atol=1e-5)


def test_what_follows_the_projection_may_be_looked_at_without_leaving_the_kernel() -> None:
    block, seen = fused_block(), []
    block.projection.activation.register_forward_hook(lambda module, given, output: seen.append(output))
    assert is_fused(block, images(4, 6, 5, 5))
    assert len(seen) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda block, x: (block.eval(), x),
        lambda block, x: (block.double(), x.double()),
    ],
    ids=["in evaluation", "in float64"],
)
def test_what_the_kernel_is_not_for_is_left_to_pytorch(change) -> None:
    block, x = change(fused_block(), images(4, 6, 5, 5))
    plain = copy.deepcopy(block)
    fused.fuse(plain, on=False)
    assert torch.allclose(block(x), plain(x), atol=1e-4)


@pytest.mark.parametrize("channels", [5, 300])
def test_an_input_of_other_channels_is_refused_as_pytorch_refuses_it(channels: int) -> None:
    with pytest.raises(RuntimeError, match=f"to have 6 channels, but got {channels}"):
        fused_block()(torch.randn(4, channels, 5, 5))
    stem = ConvNorm(3, 16, 3, 2)
    fused.fuse(stem)
    with pytest.raises(RuntimeError, match="to have 3 channels"):
        stem(torch.randn(4, channels, 5, 5))


def test_a_norm_in_another_precision_is_refused_as_pytorch_refuses_it() -> None:
    block = fused_block()
    block.expansion.norm.double()
    with pytest.raises(RuntimeError, match="dtype"):
        block(images(4, 6, 5, 5))


def test_a_single_value_has_no_variance_and_is_refused_as_pytorch_refuses_it() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        fused_block()(torch.randn(1, 6, 1, 1))


@pytest.mark.parametrize(
    ("knobs", "reason"),
    [
        ({"kernel": 5}, "kernel 5"),
        ({"inner_activation": "silu"}, "SiLU inside the blocks"),
        ({"expansion": 0}, "expansion 0"),
    ],
)
def test_what_the_kernel_does_not_know_is_named(knobs: dict[str, object], reason: str) -> None:
    block = InvertedResidual(6, 6, **knobs)
    assert block.why_not_fused() == reason
    fused.fuse(block)
    assert not block.fused


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_stays_none(value: float) -> None:
    block, x = fused_block(), images(4, 6, 5, 5)
    x[1, 2, 3, 3] = value
    assert block(x.requires_grad_()).isnan().any()
    block(x).sum().backward()
    assert block.projection.conv.weight.grad.isnan().any()


def test_relu_passes_what_relu6_clamps() -> None:
    bounds = {inner: fused_block(inner_activation=inner) for inner in ("relu", "relu6")}
    for block in bounds.values():
        block.depthwise.norm.bias.data += 20  # all of it is above 6
    x = images(4, 6, 5, 5)
    results = {
        inner: everything(block, x)["gradient of depthwise.conv.weight"] for inner, block in bounds.items()
    }
    assert results["relu6"].abs().max() < 1e-6
    assert results["relu"].abs().max() > 1e-3


def test_weights_travel_between_the_two_and_copies_compute_the_same() -> None:
    block, x = fused_block(), images(4, 6, 5, 5)
    plain = InvertedResidual(6, 6).to(memory_format=torch.channels_last)
    plain.load_state_dict(block.state_dict())
    copies = [copy.deepcopy(block), pickle.loads(pickle.dumps(block))]
    expected = block(x)
    assert all(torch.equal(each(x), expected) for each in copies)
    assert torch.allclose(plain(x), expected, atol=1e-5)
    for name, value in plain.state_dict().items():  # two steps were taken of the running statistics
        assert torch.allclose(value.float(), block.state_dict()[name].float(), atol=1e-5), name


def test_a_step_counts_as_one_for_each_norm() -> None:
    block = fused_block()
    block(images(4, 6, 5, 5))
    counts = [
        block.get_submodule(f"{stage}.norm").num_batches_tracked
        for stage in ("expansion", "depthwise", "projection")
    ]
    assert counts == [1, 1, 1]


def test_an_input_in_another_layout_is_taken() -> None:
    block, x = fused_block(), images(4, 6, 5, 5).contiguous()
    copied = copy.deepcopy(block)
    assert torch.equal(block(x), copied(x.contiguous(memory_format=torch.channels_last)))


def test_the_same_step_has_the_same_bits_again() -> None:
    block, x = fused_block(), images(9, 6, 5, 5)
    first, second = (everything(copy.deepcopy(block), x) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_is_kept_for_the_backward_pass_is_a_quarter() -> None:
    """Of six wide tensors eager keeps five; the kernel one, and what is thin."""
    x = images(16, 12, 16, 16).requires_grad_()
    kept = {}
    for on in (False, True):
        block = randomised(InvertedResidual(12, 12))
        fused.fuse(block, on=on)
        storages = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, storages=storages: (storages.update({tensor.data_ptr(): tensor.nbytes}), tensor)[
                1
            ],
            lambda tensor: tensor,
        ):
            block(x)
        kept[on] = sum(storages.values())
    assert kept[True] < kept[False] / 4


def test_not_enough_memory_is_said() -> None:
    with pytest.raises(MemoryError):
        functions._done(1)
