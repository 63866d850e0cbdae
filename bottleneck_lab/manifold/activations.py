"""The activations of the collapse lab, each with the stretches on which it is flat and forgets its input."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottleneck_lab.activations import KINDS, kind_of, label_of, schedules_of, values_of
from bottleneck_lab.activations import Activation as Setting
from bottleneck_lab.config.activations import read
from bottleneck_lab.config.files import parse_value
from bottleneck_lab.config.problems import brief
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


# In NumPy, so that the command does not wait for torch.
ACTIVATIONS = {
    name: Activation(name, apply, *KINDS[name].flat())
    for name, apply in (("relu", _relu), ("relu6", _relu6), ("leaky_relu", _leaky_relu))
}


def activation_named(given: str | dict[str, Any]) -> Activation:
    """The activation of that name, of all that networks may have; with parameters as `{ kind = ..., ... }`.

    SiLU, GELU and others fold: two pre-activations have one value. They count as told apart, for Lemma 2 is
    about stretches that are flat, and for a fold other channels tell which of the two it was.

    Raises:
        LabError: an unknown one, impossible parameters, or one that is no map of single points.
    """
    if isinstance(given, str) and given in ACTIVATIONS:
        return ACTIVATIONS[given]
    setting = setting_named(given)
    name = given if isinstance(given, str) else label_of(setting)
    if schedules_of(setting):
        raise LabError(f"{name}: nothing is trained here, so give every parameter one value")
    kind = KINDS.get(kind_of(setting))
    if kind_of(setting) in ("noise", "bits"):
        raise LabError(f"{name}: depends on the other points, and the collapse lab maps each by itself")
    apply = _module_of(setting)
    flat = kind.flat(**values_of(setting)) if kind is not None else _flat_of(apply)
    return Activation(name, apply, *flat)


def activation_of(apply: Callable[[Any], Any]) -> Activation:
    """The activation that a function of arrays computes, or a torch module; where it is flat is found out.

    Raises:
        LabError: what changes the shape of what it is given.
    """
    called = str(getattr(apply, "__name__", type(apply).__name__))
    if not callable(apply):
        raise LabError(f"activation = {brief(apply)}: give a name, a torch.nn.Module or a function of arrays")
    on_arrays = _applied(apply) if hasattr(apply, "parameters") else apply
    sample = np.linspace(-3.0, 3.0, 48).reshape(12, 4)
    made = np.asarray(on_arrays(sample.copy()))
    if made.shape != sample.shape:
        raise LabError(f"the activation {called!r} must keep the shape: {sample.shape} became {made.shape}")
    if not np.isfinite(made).all():
        raise LabError(f"the activation {called!r} makes NaN or infinity of numbers from -3 to 3")
    return Activation(called, on_arrays, *_flat_of(on_arrays))


def setting_named(name: str | dict[str, Any]) -> Setting:
    """An activation as settings have it, from what a command is given, or from a table of its parameters.

    Raises:
        LabError: an unknown one, or impossible parameters.
    """
    given: Any = name
    if isinstance(name, dict):
        given = {key: value.item() if hasattr(value, "item") else value for key, value in name.items()}
    elif name.lstrip().startswith("{"):
        given = parse_value(name, f"--activation {brief(name)}")
    try:
        return read(given)
    except ValueError as error:
        said = f"--activation {name}" if isinstance(name, str) else f"activation = {brief(name)}"
        raise LabError(f"{said}: {error}") from None


def _module_of(setting: Setting) -> Callable[[FloatArray], FloatArray]:
    """What the module of a network computes, in double precision."""
    from bottleneck_lab.models.activations import activation

    return _applied(activation(setting))


def _applied(given: Any) -> Callable[[FloatArray], FloatArray]:
    """What a module computes, in double precision; it stays as it is."""
    import torch

    module = copy.deepcopy(given).double().eval()

    def apply(z: FloatArray) -> FloatArray:
        with torch.no_grad():
            return np.asarray(module(torch.from_numpy(np.ascontiguousarray(z))))

    return apply


_FAR, _HALVINGS = 100.0, 60


def _flat_of(apply: Callable[[FloatArray], FloatArray]) -> tuple[float, float]:
    """Below and above which a map is constant, to a millionth, by halving; infinite where it is not."""

    def end(sign: float) -> float:
        def constant(z: float) -> bool:
            values = apply(np.linspace(z, sign * _FAR, 101)[:, None])
            return bool((values == values[-1]).all())

        if not constant(sign * _FAR / 2):
            return sign * math.inf
        flat, bent = sign * _FAR / 2, -sign * _FAR
        for _ in range(_HALVINGS):
            middle = (flat + bent) / 2
            flat, bent = (middle, bent) if constant(middle) else (flat, middle)
        return round(flat, 6) + 0.0  # not -0

    return end(-1.0), end(1.0)
