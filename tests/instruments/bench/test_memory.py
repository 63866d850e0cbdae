"""Eq. (2) against the arithmetic of Sec. 5, on MobileNetV2 at 224 x 224 with 16-bit numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bottleneck_lab.config import MobileNetV2Settings
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.bench.memory import Operation, operations, peak
from bottleneck_lab.models import InvertedResidual, MobileNetV2

Settings = Callable[..., MobileNetV2Settings]
IMAGE = (1, 3, 224, 224)


@pytest.fixture(scope="module")
def network(mobilenet: Settings) -> MobileNetV2:
    return MobileNetV2(mobilenet())


def by_name(found: list[Operation]) -> dict[str, Operation]:
    return {operation.name.partition(":")[0]: operation for operation in found}


def test_operation_by_operation_the_first_expanded_tensor_decides(network: MobileNetV2) -> None:
    found = operations(network, *IMAGE)
    each = by_name(found)
    assert each["blocks.1.expansion.conv"].memory == 112**2 * (16 + 96) * 2  # 2.81 MB
    assert each["blocks.1.depthwise.conv"].memory == (112**2 + 56**2) * 96 * 2  # 3.01 MB
    assert peak(found) == each["blocks.1.depthwise.conv"]
    assert each["stem.conv"].memory == 1_103_872


def test_as_single_operations_blocks_need_their_ends_and_what_is_inside(network: MobileNetV2) -> None:
    each = by_name(operations(network, *IMAGE, parts=1))
    assert (each["blocks.1"].inputs, each["blocks.1"].outputs) == (112**2 * 16 * 2, 56**2 * 24 * 2)
    assert each["blocks.1"].inputs + each["blocks.1"].outputs == 551_936
    assert each["blocks.0"].inputs + each["blocks.0"].outputs == 1_204_224
    assert each["blocks.1"].internal == (112**2 + 56**2) * 96 * 2


def test_one_channel_at_a_time_leaves_the_ends_and_a_channel_on_each_side(network: MobileNetV2) -> None:
    """|s^2 k| + |s'^2 k'| + O(max(s^2, s'^2)), Sec. 5."""
    found = operations(network, *IMAGE, parts=96)
    assert by_name(found)["blocks.1"].memory == 551_936 + 2 * (112**2 + 56**2)
    assert peak(found).name == "blocks.0"  # and not the block that decided without parts


@pytest.mark.parametrize("parts", [2, 3, 5, 7, 400])
def test_parts_divide_the_inner_tensors_and_nothing_else(network: MobileNetV2, parts: int) -> None:
    whole, split = (by_name(operations(network, 2, 3, 32, 32, parts=number)) for number in (1, parts))
    for name, block in zip((f"blocks.{i}" for i in range(17)), network.blocks, strict=True):
        assert isinstance(block, InvertedResidual)
        assert (split[name].inputs, split[name].outputs) == (whole[name].inputs, whole[name].outputs)
        per_channel = whole[name].internal // block.inner
        assert split[name].internal == per_channel * -(-block.inner // parts)


def test_bytes_grow_with_numbers_and_images(network: MobileNetV2) -> None:
    once = peak(operations(network, *IMAGE)).memory
    assert peak(operations(network, *IMAGE, element_size=4)).memory == 2 * once
    assert peak(operations(network, 3, 3, 224, 224)).memory == 3 * once


# Any network


class Adds(nn.Module):
    """A shortcut around a convolution, all written out, with views and a copy at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm(self.conv(x))) + x
        return torch.cat([y.flatten(1), y.flatten(1)], 1)


def test_norms_and_activations_are_in_place_and_views_free() -> None:
    size = 2 * 4 * 5 * 5
    assert [(of.inputs, of.outputs) for of in operations(Adds(), 1, 4, 5, 5)] == [
        (size, size),  # the convolution
        (2 * size, 0),  # the addition, over one of its operands
        (size, 2 * size),
    ]


def test_counting_changes_nothing_and_needs_no_memory(network: MobileNetV2) -> None:
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    operations(network, 1_000_000, 3, 224, 224)
    assert network.training
    assert not network.stem._forward_hooks
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


# Refusals


def test_blocks_that_are_no_single_operations_are_refused(mobilenet: Settings) -> None:
    def small(residual: str) -> MobileNetV2:
        return MobileNetV2(mobilenet("mobilenet_v2_small", residual=residual))

    shape = (1, 3, 32, 32)
    with pytest.raises(LabError, match="used outside"):
        operations(small("expansion"), *shape, parts=1)
    with pytest.raises(LabError, match="mixes the channels"):
        operations(small("sandglass"), *shape, parts=2)
    assert operations(small("sandglass"), *shape, parts=1)
    with pytest.raises(LabError, match="no `blocks`"):
        operations(Adds(), 1, 4, 5, 5, parts=1)
    with pytest.raises(LabError, match="1 part or more"):
        operations(small("none"), *shape, parts=0)
