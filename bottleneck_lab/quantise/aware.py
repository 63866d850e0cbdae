"""Training that is aware of rounding: forwards on grids, backwards straight through (Jacob et al.
2018, Sec. 3).

Grids of activations are those of each batch, so nothing is kept from step to step and an interrupted
training ends in the same bits. Weights are rounded as batch norm, with its running variance, will scale
them when it is folded in. With a grid for each output channel that scale makes no difference, and is left
out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottleneck_lab.models import fused
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.quantise.grids import grid_between, rounded_weight
from bottleneck_lab.quantise.rounded import BITS_AT_ENDS, ends_of, places, wanted_at
from bottleneck_lab.quantise.scheme import Activations, Scheme, Weights


@contextmanager
def aware(network: nn.Module, scheme: Scheme | None) -> Iterator[None]:
    """Within this, the network computes as `scheme` rounds it; its parameters stay what they are.

    The fused kernel rounds nothing, and is not used meanwhile.
    """
    if scheme is None:
        yield
        return
    with ExitStack() as after:
        was_fused: list[fused.Fusible] = [
            module for module in network.modules() if isinstance(module, fused.Fusible) and module.fused
        ]
        fused.fuse(network, on=False)
        after.callback(_set_fused, was_fused)
        if scheme.activations is not None:
            for name, place in places(network).items():
                change = functools.partial(_rounded_by_batch, wanted_at(name, scheme.activations))
                after.callback(place.hook(change).remove)
        if scheme.weights is not None:
            ends = ends_of(network)
            norms = {id(m.conv): m.norm for m in network.modules() if isinstance(m, ConvNorm)}
            for module in network.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    bits = scheme.weights.bits
                    bits = max(bits, BITS_AT_ENDS) if module in ends else bits
                    wanted = Weights(bits, scheme.weights.per, scheme.weights.folded)
                    _round_weight_of(module, wanted, norms.get(id(module)))
                    after.callback(module.__dict__.pop, "forward")
        yield


def _set_fused(modules: list[fused.Fusible]) -> None:
    for module in modules:
        module.fused = True


def _rounded_by_batch(wanted: Activations, values: Tensor) -> Tensor:
    low, high = torch.stack(torch.aminmax(values.detach())).tolist()  # one wait for a GPU
    if not (math.isfinite(low) and math.isfinite(high)):
        return values  # a training that diverges, of which its loss will tell
    return grid_between(low, high, wanted.bits, wanted.sign).rounded(values)


def _round_weight_of(module: nn.Conv2d | nn.Linear, wanted: Weights, norm: nn.Module | None) -> None:
    """Let a layer compute with its rounded weight; an attribute hides its `forward` until it is deleted."""

    def weight() -> Tensor:
        if wanted.per == "channel" or not wanted.folded or not isinstance(norm, nn.BatchNorm2d):
            return rounded_weight(module.weight, wanted.bits, wanted.per)
        scale = scale_of(norm)[:, None, None, None]
        return rounded_weight(module.weight * scale, wanted.bits, wanted.per) / scale

    def forward(x: Tensor) -> Tensor:
        if isinstance(module, nn.Linear):
            return F.linear(x, weight(), module.bias)
        return F.conv2d(
            x, weight(), module.bias, module.stride, module.padding, module.dilation, module.groups
        )

    module.__dict__["forward"] = forward


def scale_of(norm: nn.BatchNorm2d) -> Tensor:
    """What batch norm multiplies each channel by in evaluation, `[channels]`, kept away from 0."""
    assert norm.running_var is not None
    scale = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
    tiny = torch.finfo(scale.dtype).eps
    return torch.where(scale.abs() < tiny, torch.full_like(scale, tiny), scale)
