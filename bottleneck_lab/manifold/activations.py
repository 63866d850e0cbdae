"""The activations of the collapse lab, each with the stretches on which it is flat and forgets its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bottleneck_lab.errors import LabError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Activation:
    """A per-channel activation that is one-to-one between two kinks and flat beyond them.

    `flat_below` and `flat_above` are the kinks; an activation without a flat stretch has them at -inf and
    inf.
    """

    name: str
    apply: Callable[[FloatArray], FloatArray]
    flat_below: float = -np.inf
    flat_above: float = np.inf

    def informative(self, pre_activations: FloatArray) -> BoolArray:
        """Where the output tells the pre-activation (strictly between the kinks); the shape is kept."""
        if not np.isfinite(self.flat_above):
            return pre_activations > self.flat_below
        return (pre_activations > self.flat_below) & (pre_activations < self.flat_above)


def _relu(z: FloatArray) -> FloatArray:
    return np.maximum(z, 0.0)


def _relu6(z: FloatArray) -> FloatArray:
    return np.clip(z, 0.0, 6.0)


def _leaky_relu(z: FloatArray) -> FloatArray:
    return np.maximum(z, 0.01 * z)  # PyTorch's default slope


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("relu", _relu, flat_below=0.0),
        Activation("relu6", _relu6, flat_below=0.0, flat_above=6.0),
        Activation("leaky_relu", _leaky_relu),
    )
}


def activation_named(name: str) -> Activation:
    """The activation of that name; raises LabError for an unknown one."""
    if name not in ACTIVATIONS:
        raise LabError(f"{name}: no such activation; there are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
