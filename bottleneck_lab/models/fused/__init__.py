"""A training kernel for CPUs: an inverted residual in one function, its wide tensors a slab at a time.

Section 5 of Sandler et al. 2018 observes that a block needs never hold its whole expansion, and uses it for
inference. Here the observation trains: of the wide tensors of a block only the depthwise output is kept. The
statistics of the expansion, and the gradient through its batch norm, follow from its thin input x, for
mean(W x) = W mean(x) and var(W x) = diag(W Cov(x) W^T).

A network is asked to use it by `fuse`. What follows the projection (activation, addition) stays PyTorch, so
every variant gets the speed. Modules that somebody looks into by hooks, evaluation, and whatever the kernel
does not know are computed by PyTorch, from the same parameters. Only second derivatives and derivatives in
forward mode of a network in training are refused: ask for them after `fuse(network, on=False)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch import nn

from bottleneck_lab.models.fused.library import compiled as library_path
from bottleneck_lab.models.fused.library import must_be_compiled, why_not
from bottleneck_lab.models.fused.modules import (
    conv_norm,
    normed_projection,
    why_not_block,
    why_not_conv_norm,
)

__all__ = [
    "Fusible",
    "conv_norm",
    "fuse",
    "has_blocks",
    "library_path",
    "must_be_compiled",
    "normed_projection",
    "reasons_against",
    "why_not",
    "why_not_block",
    "why_not_conv_norm",
]


@runtime_checkable
class Fusible(Protocol):
    """A module that the kernel may be able to compute, and does in training while it is `fused`."""

    fused: bool

    def why_not_fused(self) -> str | None:
        """Why the kernel cannot compute this module; None if it can."""


def fuse(network: nn.Module, on: bool = True) -> int:
    """Let the kernel compute what it can of a network in training, or (`on = False`) leave all to PyTorch.

    Returns the number of modules that it will compute.
    """
    count = 0
    for module in network.modules():
        if isinstance(module, Fusible):
            module.fused = on and module.why_not_fused() is None
            count += module.fused
    return count


def has_blocks(network: nn.Module) -> bool:
    """Whether there is a block that the kernel can compute; without one it is not worth compiling."""
    return any(block.why_not_fused() is None for block in _blocks(network))


def reasons_against(network: nn.Module) -> list[str]:
    """Why the kernel cannot compute some of the blocks of a network, each reason once."""
    reasons = (block.why_not_fused() for block in _blocks(network))
    return list(dict.fromkeys(reason for reason in reasons if reason is not None))


def _blocks(network: nn.Module) -> Iterator[Fusible]:
    for module in network.modules():
        if isinstance(module, Fusible) and hasattr(module, "expansion"):
            yield module
