"""Activations by the name that settings give them."""

from __future__ import annotations

from collections.abc import Callable

import torch
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
    _check_on_a_few_numbers(name, made)
    return made


@torch.no_grad()
def _check_on_a_few_numbers(name: str, made: nn.Module) -> None:
    """Refuse what changes its input or its shape; whatever else it does shows when a network is counted."""
    numbers = torch.linspace(-3, 3, 48, device="cpu").view(1, 3, 4, 4)
    given = numbers.clone()
    try:
        returned = made.eval()(given)
    except Exception:  # it may want other numbers than these
        return
    finally:
        made.train()
    shape = tuple(returned.shape) if isinstance(returned, torch.Tensor) else type(returned).__name__
    if shape != tuple(numbers.shape):
        raise LabError(f"the activation {name!r} must keep the shape: {tuple(numbers.shape)} became {shape}")
    if not torch.equal(given, numbers):
        raise LabError(f"the activation {name!r} changes its input, which others read: return a new tensor")
