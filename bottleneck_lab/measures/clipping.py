"""Where bottleneck pre-activations lie: below 0 a ReLU clips them (or would), above 6 a ReLU6 does.

The paper argues (Sec. 6.4) that a non-linear bottleneck loses no expressiveness, since biases and scales can
keep it in the linear range. These shares, taken over training, say whether they do.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor, nn

from bottleneck_lab.data.images import ImageData
from bottleneck_lab.errors import LabError
from bottleneck_lab.measures.layers import observe
from bottleneck_lab.models.block import ConvNorm

IMAGES, BATCH = 1000, 250  # the first held-out images, and how many at a time


def share_below_zero(network: nn.Module, data: ImageData) -> float:
    """Share of bottleneck pre-activations below 0 (0 to 1), averaged over blocks.

    Raises:
        LabError: a network without projections.
    """
    return _share(network, data, lambda z: z < 0)


def share_above_six(network: nn.Module, data: ImageData) -> float:
    """Share of bottleneck pre-activations above 6 (0 to 1), averaged over blocks.

    Raises:
        LabError: a network without projections.
    """
    return _share(network, data, lambda z: z > 6)


def bottleneck_activations(network: nn.Module) -> list[nn.Module]:
    """What follows the projection of every block, or its addition: an activation, or the identity."""
    after_add = getattr(network.settings, "projection_place", "before_add") == "after_add"
    found = []
    for block in network.get_submodule("blocks").children():
        projection = getattr(block, "projection", None)
        if isinstance(projection, ConvNorm):
            found.append(
                (block if after_add else projection).get_submodule("output" if after_add else "activation")
            )
    return found


class _Share:
    """Counts what is true of a module's input, over all batches."""

    def __init__(self, module: nn.Module, holds: Callable[[Tensor], Tensor]) -> None:
        self.module, self.holds = module, holds
        self.true, self.all = 0, 0

    def see(self, before: Tensor, after: Tensor) -> None:
        self.true += int(self.holds(before).sum())
        self.all += before.numel()


def _share(network: nn.Module, data: ImageData, holds: Callable[[Tensor], Tensor]) -> float:
    activations = bottleneck_activations(network)
    if not activations:
        raise LabError("no block of this network has a projection, so no pre-activations of a bottleneck")
    shares = [_Share(module, holds) for module in activations]
    pieces = data.held_out.pixels[:IMAGES].split(BATCH)
    observe(network, (data.normalised(pixels) for pixels in pieces), shares)
    return math.fsum(share.true / share.all for share in shares) / len(shares)
