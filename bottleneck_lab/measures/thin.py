"""What passes the thin tensors of a network, block by block: seen once, for all measures that look there.

z is what a projection (or an addition) hands to the activation of the bottleneck, h what comes out of it.
Shapes are `[networks, samples, channels]`: a network for images is one network, whose samples are pixels; a
batch of toy networks has its points.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottleneck_lab.activations import KINDS, kind_of, schedules_of, values_of
from bottleneck_lab.data.images import ImageData
from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.distances import (
    effective_rank,
    nearest_codes,
    principal_variances,
    two_nn_dimension,
)
from bottleneck_lab.manifold.rows import rows
from bottleneck_lab.measures.layers import observe
from bottleneck_lab.models import ToyNetworks
from bottleneck_lab.models.activations import made_of
from bottleneck_lab.models.block import ConvNorm, InvertedResidual, Sandglass

IMAGES = 250  # the first held-out ones: a batch that a CPU's cache holds
PIXELS = 40_000  # of a block, at most
NEIGHBOURS = 500  # samples that are compared with each other


@dataclass(frozen=True)
class Thin:
    """One block's thin tensor.

    Args:
        z: before the activation, float64 `[networks, samples, channels]`.
        h: after it, likewise.
        clipped: bool, like `z`: where the activation is flat.
        reader: the matrix that reads h next, `[networks, outputs, channels]`; None where that is no matrix.
        gradient: second moment of an example's gradient with regard to z, summed over its tensor,
            `[networks]`.
    """

    z: Tensor
    h: Tensor
    clipped: Tensor
    reader: Tensor | None
    gradient: Tensor


Profile = list[list[float]]  # for each network, a value for each block


def of_images(network: nn.Module, data: ImageData) -> list[Thin]:
    """The thin tensors of a network for images, over the first `IMAGES` held-out images.

    Gradients are those of training: with the batch norm of a batch, and without dropout.

    Raises:
        LabError: a network without projections.
    """
    blocks = list(network.get_submodule("blocks").children())
    after_add = getattr(network.settings, "projection_place", "before_add") == "after_add"
    thin = [block for block in blocks if isinstance(getattr(block, "projection", None), ConvNorm)]
    if not thin:
        raise LabError("no block of this network has a projection, so it has no thin tensors")

    def activations(of: nn.Module) -> list[nn.Module]:
        own = list(of.get_submodule("blocks").children())
        places = "output" if after_add else "projection.activation"
        return [own[blocks.index(block)].get_submodule(places) for block in thin]

    pixels, labels = data.held_out.pixels[:IMAGES], data.held_out.labels[:IMAGES]
    images = data.normalised(pixels)
    seen = [_Seen(module) for module in activations(network)]
    observe(network, [images], seen)
    trained = copy.deepcopy(network).train()
    for module in trained.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    gradients = _gradients(trained, activations(trained), images, lambda out: F.cross_entropy(out, labels))
    found = []
    for block, one, gradient in zip(thin, seen, gradients, strict=True):
        z, h = _pixels(one.before), _pixels(one.after)
        following = blocks[blocks.index(block) + 1 :]
        reader = _reader(block, following[0] if following else getattr(network, "head", None))
        each = len(labels) * gradient.double().square().sum()
        found.append(Thin(z[None], h[None], _clipped(one.module, z)[None], reader, each[None]))
    return found


@torch.no_grad()
def as_at_first_step(network: nn.Module, data: ImageData) -> nn.Module:
    """A copy whose batch norms know the mean and the variance of a batch of training images, and no more."""
    started = copy.deepcopy(network).train()
    for module in started.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    started(data.normalised(data.train.pixels[:IMAGES]))
    return started.eval()


def of_toys(networks: ToyNetworks, points: Tensor, classes: Tensor) -> list[Thin]:
    """The thin tensors of a batch of toy networks, over their points `[networks, points, dimensions]`."""
    found = []
    places = [block.get_submodule("projection.1") for block in networks.blocks]
    after = [block.get_submodule("output") for block in networks.blocks]
    seen = [_Seen(module) for module in (*places, *after)]
    observe(networks, [points], seen)

    def loss(logits: Tensor) -> Tensor:
        each = F.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="sum")
        return each / classes.shape[1]

    gradients = _gradients(networks, [*places, *after], points, loss)
    late = torch.tensor([place == "after_add" for place in networks.projection_places])[:, None, None]
    late = late.to(points.device)
    count = len(places)
    for index in range(count):
        before, behind = seen[index], seen[count + index]
        z, h = torch.where(late, behind.before, before.before), torch.where(late, behind.after, before.after)
        clipped = torch.where(late, _clipped_batch(behind.module, z), _clipped_batch(before.module, z))
        gradient = torch.where(late, gradients[count + index], gradients[index])
        z, h, gradient = (torch.nan_to_num(one.double(), 0, 0, 0) for one in (z, h, gradient))  # diverged
        following = f"blocks.{index + 1}.expansion.0" if index + 1 < count else "classifier"
        reader = networks.get_parameter(f"{following}.weight").detach().double().mT
        each = classes.shape[1] * gradient.square().sum((1, 2))
        found.append(Thin(z, h, clipped, torch.nan_to_num(reader, 0, 0, 0), each))
    return found


class _Seen:
    """Keeps what has gone into a module and come out of it."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def see(self, before: Tensor, after: Tensor) -> None:
        self.before, self.after = before, after


@torch.enable_grad()
def _gradients(
    network: nn.Module, modules: Sequence[nn.Module], inputs: Tensor, loss: Callable[[Tensor], Tensor]
) -> list[Tensor]:
    """The gradient of the loss with regard to what goes into each module."""
    kept: dict[int, Tensor] = {}

    def keep(place: int) -> Callable[..., None]:
        return lambda module, given: kept.update({place: given[0]})

    handles = [module.register_forward_pre_hook(keep(place)) for place, module in enumerate(modules)]
    try:
        total = loss(network(inputs))
    finally:
        for handle in handles:
            handle.remove()
    ordered = [kept[place] for place in range(len(modules))]
    gradients = torch.autograd.grad(total, ordered, allow_unused=True)
    return [
        torch.zeros_like(tensor) if gradient is None else gradient
        for tensor, gradient in zip(ordered, gradients, strict=True)
    ]


def _pixels(tensor: Tensor) -> Tensor:
    """`[N, C, H, W]` to float64 `[pixels, C]`, evenly thinned where there are many."""
    pixels = rows(tensor)
    step = max(1, -(-len(pixels) // PIXELS))
    return pixels[::step].double()


def _reader(block: nn.Module, following: object) -> Tensor | None:
    """The matrix of the 1x1 convolution that reads a bottleneck, if one does.

    That is the expansion of the next inverted residual block, or the head after the last; in a sandglass
    block, its own expansion.
    """
    layer: object = None
    if isinstance(block, Sandglass):
        layer = block.expansion
    elif isinstance(block, InvertedResidual):
        layer = following.expansion if isinstance(following, InvertedResidual) else following
    if not isinstance(layer, ConvNorm):
        return None
    conv = layer.conv
    assert isinstance(conv, nn.Conv2d)
    return conv.weight.detach()[None, :, :, 0, 0].double()


def _clipped(module: nn.Module, z: Tensor) -> Tensor:
    """Where an activation is flat: as the table says, or for one that was added where its derivative is 0."""
    setting = made_of(module)
    if setting is not None and (kind := KINDS.get(kind_of(setting))) is not None:
        values = values_of(setting) | {name: getattr(module, name) for name in schedules_of(setting)}
        low, high = kind.flat(**values)
        return (z < low) | (z > high)
    with torch.enable_grad():
        given = z.float().requires_grad_()
        (slope,) = torch.autograd.grad(module(given).sum(), given)
    return slope == 0


def _clipped_batch(batched: nn.Module, z: Tensor) -> Tensor:
    functions: nn.ModuleList = batched.functions  # type: ignore[assignment]
    pieces = z.split(batched.counts)
    return torch.cat([_clipped(f, piece) for f, piece in zip(functions, pieces, strict=True)])


# The measures: for each network, a value for each block


def _by_block(value: Callable[[Thin], Tensor]) -> Callable[[Sequence[Thin]], Profile]:
    def of(blocks: Sequence[Thin]) -> Profile:
        profile: Profile = torch.stack([value(block).double().cpu() for block in blocks], 1).tolist()
        return profile

    return of


def _share(of: Tensor) -> Tensor:
    return of.double().mean((1, 2))


def _covariances(thin: Thin) -> tuple[Tensor, Tensor]:
    """Of z, and of what the best affine map from h leaves of it: `[networks, channels, channels]` both."""
    z, h = (tensor - tensor.mean(1, keepdim=True) for tensor in (thin.z, thin.h))
    count = z.shape[1]
    of_z, of_h, between = z.mT @ z / count, h.mT @ h / count, z.mT @ h / count
    return of_z, of_z - between @ torch.linalg.pinv(of_h, hermitian=True, rtol=1e-10) @ between.mT


def _readable(thin: Thin) -> Tensor:
    """R^2 of the best linear decoder of z from h, over all channels together; 1 where z is constant."""
    of_z, left = _covariances(thin)
    total = of_z.diagonal(dim1=1, dim2=2).sum(1)
    lost = left.diagonal(dim1=1, dim2=2).sum(1)
    return torch.where(total > 0, 1 - lost / total.clamp(min=1e-300), 1.0).clamp(0, 1)


def _readable_by_next(thin: Thin) -> Tensor:
    """The same for what the next layer makes of z: the mean over its channels, equal behind batch norm."""
    if thin.reader is None:
        return _readable(thin)
    of_z, left = _covariances(thin)
    total, lost = (((thin.reader @ matrix) * thin.reader).sum(2) for matrix in (of_z, left))
    return torch.where(total > 0, 1 - lost / total.clamp(min=1e-300), 1.0).clamp(0, 1).mean(1)


def _effective_rank(thin: Thin) -> Tensor:
    h = (thin.h - thin.h.mean(1, keepdim=True)).cpu().numpy()
    covariance = np.swapaxes(h, 1, 2) @ h / h.shape[1]
    ranks = [effective_rank(principal_variances(one)) if one.any() else 0.0 for one in covariance]
    return torch.tensor([float(rank) for rank in ranks])


def _dimension(thin: Thin) -> Tensor:
    """TwoNN dimension of h, over at most `NEIGHBOURS` samples far apart; 0 where fewer than three differ."""
    step = max(1, thin.h.shape[1] // NEIGHBOURS)
    codes = thin.h[:, ::step][:, :NEIGHBOURS].cpu().numpy()
    found = [float(two_nn_dimension(nearest_codes(one))) if np.ptp(one) > 0 else 0.0 for one in codes]
    return torch.tensor([0.0 if math.isnan(dimension) else dimension for dimension in found])


PROFILES: dict[str, Callable[[Sequence[Thin]], Profile]] = {
    "below_zero": _by_block(lambda thin: _share(thin.z < 0)),
    "above_six": _by_block(lambda thin: _share(thin.z > 6)),
    "clipped": _by_block(lambda thin: _share(thin.clipped)),
    "readable": _by_block(_readable),
    "readable_by_next": _by_block(_readable_by_next),
    "effective_rank": _by_block(_effective_rank),
    "dimension": _by_block(_dimension),
    "gradient_growth": _by_block(lambda thin: thin.gradient),
}


def over_blocks(name: str, values: Sequence[float]) -> float:
    """One number for all blocks of a network: the mean, and of gradients the growth from one to the next.

    That growth is the mean of the natural logarithm of the ratio of second moments, from each block to the
    one before it: 0 where the size of gradients does not depend on depth.
    """
    if name != "gradient_growth":
        return math.fsum(values) / len(values)
    if len(values) < 2:
        return 0.0
    first, last = (max(value, 1e-30) for value in (values[0], values[-1]))
    return math.log(first / last) / (len(values) - 1)
