"""Activations by the name that settings give them."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from bottleneck_lab import extend
from bottleneck_lab.config import Activation
from bottleneck_lab.errors import LabError

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,  # slope 0.01 below zero: non-linear, yet nothing is lost
    "silu": nn.SiLU,
}


def activation(name: Activation) -> nn.Module:
    """A new module that applies the named activation to every element.

    Raises:
        LabError: one that was added, and is no such module.
    """
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]()
    try:
        made = extend.ACTIVATIONS[name]()
    except Exception as error:
        raise LabError(f"the activation {name!r} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(made, nn.Module):
        raise LabError(f"the activation {name!r} must return a torch.nn.Module, not {made!r}")
    if any(getattr(module, "inplace", False) for module in made.modules()):
        raise LabError(
            f"the activation {name!r} works in place, and measurements look at what goes into it: "
            "leave inplace=True out"
        )
    return made
