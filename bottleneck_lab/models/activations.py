"""Activations by the name that settings give them."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from bottleneck_lab.config import Activation

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,  # slope 0.01 below zero: non-linear, yet nothing is lost
    "silu": nn.SiLU,
}


def activation(name: Activation) -> nn.Module:
    """A new module that applies the named activation to every element."""
    return ACTIVATIONS[name]()
