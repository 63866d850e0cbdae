"""The one table of activations: what each is called, its parameters, where it is flat, and where its module
is.

Models, toy networks and the collapse lab take the same names from it. Knows nothing of torch until a module
is made.

In settings an activation is a name, or a name with parameters: `{ kind = "leaky", slope = 0.25 }`. A
parameter may change over training: `{ kind = "leaky", slope = { from = 1, to = 0, until = 0.5 } }` goes from
1 to 0 in the first half, and stays.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Flat = tuple[float, float]  # flat below the first and above the second; infinite where it is not


@dataclass(frozen=True)
class Schedule:
    """A parameter that goes from `start` to `end` in the first `until` of training (0 to 1), and stays."""

    start: float
    end: float
    until: float

    def at(self, progress: float) -> float:
        """The value after `progress` of the training, 0 to 1."""
        share = min(progress / self.until, 1.0)
        return self.start + (self.end - self.start) * share

    def written(self) -> dict[str, float]:
        """As it stands in settings."""
        return {"from": self.start, "to": self.end, "until": self.until}


Value = float | int | Schedule


@dataclass(frozen=True)
class Parametrised:
    """An activation with values for its parameters, in the order of the table."""

    kind: str
    parameters: tuple[tuple[str, Value], ...]

    def written(self) -> dict[str, object]:
        """As it stands in settings."""
        values = {
            name: value.written() if isinstance(value, Schedule) else value for name, value in self.parameters
        }
        return {"kind": self.kind, **values}


Activation = str | Parametrised


@dataclass(frozen=True)
class Parameter:
    """The values that a parameter may have: from `low` to `high`, whole numbers only where it is `whole`."""

    low: float
    high: float
    whole: bool = False

    def check(self, name: str, value: object) -> Value:
        """The value as it is kept, so that equal ones are written alike.

        Raises:
            ValueError: one that the parameter may not have.
        """
        if isinstance(value, Mapping):
            return self._schedule(name, value)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= float(value) <= self.high:  # type: ignore[arg-type]
            raise ValueError(f"{name} = {value!r}: give {self._kind} from {self.low:g} to {self.high:g}")
        if self.whole and float(value) != int(value):  # type: ignore[arg-type, call-overload]
            raise ValueError(f"{name} = {value!r}: give a whole number")
        return int(value) if self.whole else float(value)  # type: ignore[call-overload, arg-type]

    @property
    def _kind(self) -> str:
        return "a whole number" if self.whole else "a number"

    def _schedule(self, name: str, value: Mapping[str, object]) -> Schedule:
        if self.whole:
            raise ValueError(f"{name} is a whole number and cannot change over training")
        if sorted(value) != ["from", "to", "until"]:
            raise ValueError(f"{name} = {dict(value)!r}: a schedule has the keys from, to and until")
        ends = {key: self.check(f"{name}.{key}", value[key]) for key in ("from", "to")}
        until = Parameter(0.0, 1.0).check(f"{name}.until", value["until"])
        if until == 0:
            raise ValueError(f"{name}.until = 0: give the share of training that the change takes")
        return Schedule(ends["from"], ends["to"], until)  # type: ignore[arg-type]


def _nowhere(**_: float) -> Flat:
    return -math.inf, math.inf


def _everywhere(**_: float) -> Flat:
    return math.inf, math.inf


@dataclass(frozen=True)
class Kind:
    """One activation of the table.

    Args:
        label: in words, with the names of its parameters in braces.
        target: where its module is, as `package.module:name`; it is made with the parameters.
        parameters: by name; all must be given.
        flat: where it is flat, by its parameters.
        by_element: whether every number is mapped by itself. Others look at other channels, or at the batch.
    """

    label: str
    target: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    flat: Callable[..., Flat] = _nowhere
    by_element: bool = True

    def make(self, **parameters: float) -> Any:
        """A new module."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)(**parameters)


_OURS = "bottleneck_lab.models.activations"

# fmt: off
KINDS: dict[str, Kind] = {
    "linear": Kind("linear", "torch.nn:Identity"),
    "relu": Kind("ReLU", "torch.nn:ReLU", flat=lambda: (0.0, math.inf)),
    "relu6": Kind("ReLU6", "torch.nn:ReLU6", flat=lambda: (0.0, 6.0)),
    "leaky_relu": Kind("leaky ReLU", "torch.nn:LeakyReLU"),  # slope 0.01: non-linear, yet one-to-one
    "silu": Kind("SiLU", "torch.nn:SiLU"),
    "gelu": Kind("GELU", "torch.nn:GELU"),
    "hard_swish": Kind("hard-swish", "torch.nn:Hardswish", flat=lambda: (-3.0, math.inf)),
    "softplus": Kind("softplus", "torch.nn:Softplus"),
    "tanh": Kind("tanh", "torch.nn:Tanh"),
    "leaky": Kind(
        "leaky ReLU {slope}", f"{_OURS}:Leaky", {"slope": Parameter(-10, 10)},
        flat=lambda slope: (0.0 if slope == 0 else -math.inf, math.inf)),
    "clip": Kind(
        "clip to ±{limit}", f"{_OURS}:Clip", {"limit": Parameter(0.001, 1000)},
        flat=lambda limit: (-limit, limit)),
    "maxmin": Kind("sorted pairs", f"{_OURS}:MaxMin", by_element=False),
    "noise": Kind(
        "noise {variance}", f"{_OURS}:Noise", {"variance": Parameter(0, 1000)},
        by_element=False),
    "bits": Kind(
        "{bits} bits", f"{_OURS}:Bits", {"bits": Parameter(1, 8, whole=True)},
        flat=_everywhere, by_element=False),
    "masked_backward": Kind("backward as ReLU", f"{_OURS}:MaskedBackward"),
    "straight_through": Kind(
        "ReLU6, backward linear", f"{_OURS}:StraightThrough", flat=lambda: (0.0, 6.0)),
}
# fmt: on


def kind_of(activation: Activation) -> str:
    """The name of an activation, without its parameters."""
    return activation if isinstance(activation, str) else activation.kind


def values_of(activation: Activation, progress: float = 0.0) -> dict[str, float]:
    """Its parameters by name; of one that changes, the value after `progress` of the training."""
    if isinstance(activation, str):
        return {}
    return {
        name: value.at(progress) if isinstance(value, Schedule) else value
        for name, value in activation.parameters
    }


def schedules_of(activation: Activation) -> dict[str, Schedule]:
    """The parameters that change over training."""
    if isinstance(activation, str):
        return {}
    return {name: value for name, value in activation.parameters if isinstance(value, Schedule)}


def flat_stretches(activation: Activation) -> Flat | None:
    """Below which and above which number it is flat (at the end of training); None if that is not known.

    SiLU, GELU, hard-swish and negative slopes fold: two numbers have one value, and that is not counted.
    """
    kind = KINDS.get(kind_of(activation))
    return kind.flat(**values_of(activation, 1.0)) if kind is not None else None


def label_of(activation: Activation) -> str:
    """An activation in words."""
    kind, parameters = kind_of(activation), () if isinstance(activation, str) else activation.parameters
    words = {name: _in_words(value) for name, value in parameters}
    if kind in KINDS:
        return KINDS[kind].label.format(**words)
    return f"{kind} ({', '.join(f'{name} {word}' for name, word in words.items())})" if words else kind


def _in_words(value: Value) -> str:
    if isinstance(value, Schedule):
        return f"{value.start:g} → {value.end:g} by {100 * value.until:g} %"
    return f"{value:g}"
