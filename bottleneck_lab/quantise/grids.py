"""Grids: the values that numbers are rounded to, and rounding to them with a straight-through gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bottleneck_lab.quantise.scheme import Per, Sign

SMALLEST = torch.finfo(torch.float32).eps  # step of a grid for tensors that are 0 everywhere


@dataclass(frozen=True)
class Grid:
    """The values `step` times (q - `zero`) for whole q from `least` to `most` (Jacob et al. 2018, eq. 1)."""

    step: float
    zero: int
    least: int
    most: int

    def rounded(self, values: Tensor) -> Tensor:
        """Each value on the nearest of the grid; gradients pass unless it is clipped (straight through)."""
        if values.dtype != torch.float32:
            return self.rounded(values.float()).to(values.dtype)
        return torch.fake_quantize_per_tensor_affine(values, self.step, self.zero, self.least, self.most)


def grid_between(low: float, high: float, bits: int, sign: Sign) -> Grid:
    """The grid of 2^`bits` values (one fewer where it is symmetric) for numbers from `low` to `high`.

    0 is one of its values. An unsigned grid takes no notice of `low`.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if sign == "symmetric":
        most = 2 ** (bits - 1) - 1
        return Grid(max(max(-low, high) / most, SMALLEST), 0, -most, most)
    most = 2**bits - 1
    if sign == "unsigned":
        return Grid(max(high / most, SMALLEST), 0, 0, most)
    step = max((high - low) / most, SMALLEST)
    return Grid(step, round(-low / step), 0, most)


def steps_of_weight(weight: Tensor, bits: int, per: Per) -> Tensor:
    """Steps of the symmetric grids that reach to the largest weight: `[out]`, or `[]` for one grid."""
    most = 2 ** (bits - 1) - 1
    largest = weight.detach().flatten(1).abs().amax(1)
    steps: Tensor = (largest if per == "channel" else largest.amax()) / most
    return steps.clamp(min=SMALLEST)


def rounded_weight(weight: Tensor, bits: int, per: Per) -> Tensor:
    """A weight `[out, ...]` on symmetric grids of 2^`bits` - 1 values, straight through."""
    most = 2 ** (bits - 1) - 1
    steps = steps_of_weight(weight, bits, per)
    zeros = torch.zeros_like(steps, dtype=torch.int32)
    on_grid: Tensor
    if per == "channel":
        on_grid = torch.fake_quantize_per_channel_affine(weight, steps, zeros, 0, -most, most)
    else:
        on_grid = torch.fake_quantize_per_tensor_affine(weight, steps, zeros, -most, most)
    return on_grid
