"""Batch norms folded into their convolutions, and activations in place: a network as inference runs it."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import Tensor, nn

from bottleneck_lab.errors import LabError
from bottleneck_lab.models.block import ConvNorm

Network = TypeVar("Network", bound=nn.Module)


def folded(layer: ConvNorm) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution that does the work of convolution and batch norm in evaluation.

    They are computed in float64 and rounded once, to the layer's type.
    """
    conv, norm = layer.conv, layer.norm
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight = conv.weight.detach()
    scale = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = norm.bias.detach().double() - norm.running_mean.double() * scale
    return (weight.double() * scale[:, None, None, None]).to(weight.dtype), bias.to(weight.dtype)


def in_place(activation: nn.Module) -> nn.Module:
    """A copy of the activation that overwrites its input, where there is such a thing."""
    activation = copy.deepcopy(activation)
    if hasattr(activation, "inplace"):
        activation.inplace = True  # type: ignore[assignment]
    return activation


def fold_norms(network: Network) -> Network:
    """A copy of the network in which every `ConvNorm` is one convolution and an activation in place.

    Equal in evaluation up to rounding; not for training.

    Raises:
        LabError: the network is being trained.
    """
    if any(layer.training for layer in network.modules() if isinstance(layer, ConvNorm)):
        raise LabError("batch norms can be folded only in evaluation: call eval()")
    network = copy.deepcopy(network)
    for layer in network.modules():
        if isinstance(layer, ConvNorm):
            conv = layer.conv
            assert isinstance(conv, nn.Conv2d)
            weight, bias = folded(layer)
            conv.weight, conv.bias = nn.Parameter(weight, False), nn.Parameter(bias, False)
            layer.norm = nn.Identity()
            layer.activation = in_place(layer.get_submodule("activation"))
    return network
