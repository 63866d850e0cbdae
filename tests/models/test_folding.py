"""Batch norms folded into convolutions change nothing but rounding (Ioffe & Szegedy 2015, Sec. 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bottleneck_lab.config import Activation, MobileNetV2Settings
from bottleneck_lab.errors import LabError
from bottleneck_lab.models import MobileNetV2
from bottleneck_lab.models.activations import activation
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.models.folding import fold_norms, folded, in_place

LivedIn = Callable[[nn.Module, int], Any]


@pytest.mark.parametrize("residual", ["bottleneck", "expansion", "none", "sandglass"])
def test_a_folded_network_equals_the_network_and_has_no_batch_norm(
    residual: str, mobilenet: Callable[..., MobileNetV2Settings], lived_in: LivedIn
) -> None:
    network = lived_in(MobileNetV2(mobilenet("mobilenet_v2_small", residual=residual), 3, 10), 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    inference = fold_norms(network)
    torch.testing.assert_close(inference(x), network(x))
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in inference.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("depthwise", [False, True])
def test_scale_and_shift_are_those_of_the_running_statistics(depthwise: bool, lived_in: LivedIn) -> None:
    layer = lived_in(ConvNorm(3, 3, 3, depthwise=depthwise), 0)
    weight, bias = folded(layer)
    norm = layer.norm
    for channel in range(3):
        scale = norm.weight[channel] / (norm.running_var[channel] + 1e-5) ** 0.5
        torch.testing.assert_close(weight[channel], layer.conv.weight[channel] * scale)
        torch.testing.assert_close(bias[channel], norm.bias[channel] - norm.running_mean[channel] * scale)


@pytest.mark.parametrize("name", ["linear", "relu", "relu6", "leaky_relu", "silu"])
def test_activations_in_place_overwrite_their_input(name: Activation) -> None:
    x = torch.linspace(-9, 9, 37)
    expected = activation(name)(x)
    y = x.clone()
    in_place(activation(name))(y)
    torch.testing.assert_close(y, expected)


def test_a_network_that_is_being_trained_is_not_folded(
    mobilenet: Callable[..., MobileNetV2Settings],
) -> None:
    with pytest.raises(LabError, match=r"call eval\(\)"):
        fold_norms(MobileNetV2(mobilenet("mobilenet_v2_small")))
