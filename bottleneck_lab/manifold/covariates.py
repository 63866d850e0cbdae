"""What an activation does to a standard normal variable behind batch norm: what it loses, how gradients grow.

z is standard normal, as batch norm leaves a channel, and the activation f sees `scale` z + `bias`: batch
norm's own scale and shift. Three numbers tell explanations apart of why an activation costs accuracy:

- `decodable`: R^2 of the best decoder of z from f. What no decoder gets back is lost for good.
- `linear`: R^2 of the best linear decoder. What the next layer, which is linear, cannot get back.
- `growth`: E f'^2 / Var f, by which the mean square of a gradient grows on its way back through the next
  batch norm and the activation (Yang et al. 2019, arXiv 1902.08129): 1 for a linear one, pi / (pi - 1) for
  ReLU.

With normal and independent channels they are exact; of a network they order activations and prove nothing.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bottleneck_lab.activations import KINDS, Activation, kind_of, schedules_of, values_of
from bottleneck_lab.config import RunSettings, ToyNetworkSettings
from bottleneck_lab.manifold.activations import FloatArray

POINTS, FARTHEST = 600_001, 9.0  # of the quadrature, and where it ends, in standard deviations
BIN = 5e-4  # outputs this close, in their standard deviations, are told apart by no decoder


@dataclass(frozen=True)
class Covariates:
    """The three numbers; each is 1 for a linear projection."""

    decodable: float
    linear: float
    growth: float


def covariates(activation: Activation, bias: float = 0.0, scale: float = 1.0) -> Covariates | None:
    """The covariates of an activation behind a batch norm of this bias and scale.

    None where they say nothing: of an activation that changes over training, that joins channels in a way
    that is not known, or whose output is constant.
    """
    return _covariates(activation, bias, scale)


@functools.lru_cache(maxsize=256)  # a report has many variants of few activations
def _covariates(activation: Activation, bias: float, scale: float) -> Covariates | None:
    kind, values = kind_of(activation), values_of(activation)
    if schedules_of(activation):
        return None
    if kind == "maxmin":  # two equals of which the order is lost; max and min have variance 1 - 1 / pi
        return Covariates(0.5, 0.5, math.pi / (math.pi - 1))
    if kind == "noise":
        kept = 1 / (1 + values["variance"])
        return Covariates(kept, kept, kept)
    if kind == "bits":
        return _by_quadrature(lambda z: _rounded(z, int(values["bits"])), 0.0, 1.0)
    if kind in KINDS:
        return _by_quadrature(lambda x: _of_module(activation, x), bias, scale)
    return None if _joins(activation) else _by_quadrature(lambda x: _of_module(activation, x), bias, scale)


Mapped = tuple[FloatArray, FloatArray]  # the values, and the factors that gradients get


def _by_quadrature(mapped: Callable[[FloatArray], Mapped], bias: float, scale: float) -> Covariates | None:
    z = np.linspace(-FARTHEST, FARTHEST, POINTS)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    values, factors = mapped(scale * z + bias)
    away = values - weight @ values
    variance = float(weight @ away**2)
    if variance < 1e-12:
        return None
    return Covariates(
        decodable=_best_decoder(z, weight, away / math.sqrt(variance)),
        linear=float((weight @ (z * away)) ** 2 / variance),
        growth=float(weight @ (scale * factors) ** 2 / variance),
    )


def _best_decoder(z: FloatArray, weight: FloatArray, values: FloatArray) -> float:
    """R^2 of E[z | value]: what the z with one value have in common."""
    lowest, highest = values.min(), values.max()
    width = max(BIN, (highest - lowest) / 1e6)
    which = np.round((values - lowest) / width).astype(np.intp)
    total = np.bincount(which, weight)
    mean = np.bincount(which, weight * z) / np.where(total > 0, total, 1.0)
    return float((total * mean**2).sum())


def _of_module(activation: Activation, x: FloatArray) -> Mapped:
    import torch

    from bottleneck_lab.models.activations import activation as made

    points = torch.from_numpy(x).requires_grad_()
    values = made(activation).double().eval()(points)
    (factors,) = torch.autograd.grad(values.sum(), points)
    return values.detach().numpy(), factors.numpy()


def _rounded(z: FloatArray, bits: int) -> Mapped:
    import torch

    from bottleneck_lab.models.activations import on_grid

    return on_grid(torch.from_numpy(z), bits).numpy(), np.ones_like(z)


def _joins(activation: Activation) -> bool:
    """Whether an added activation makes of a number something else when its neighbours are others."""
    x = np.linspace(-2.0, 2.0, 8)
    together, _ = _of_module(activation, x)
    alone = [float(_of_module(activation, x[place : place + 1])[0][0]) for place in range(len(x))]
    return not np.allclose(together, alone)


def covariates_of(run: RunSettings) -> Covariates | None:
    """The covariates of a network's bottlenecks at the start; None where they say nothing.

    Toy networks have no batch norm, and behind an addition a value is not standard normal.
    """
    model = run.model
    if isinstance(model, ToyNetworkSettings):
        return None
    if getattr(model, "projection_place", "before_add") == "after_add":
        return None
    start = model.initial
    return covariates(model.projection_activation, start.projection_bias, start.projection_scale)
