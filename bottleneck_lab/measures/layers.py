"""Looking at the inner tensors of a network while images run through it, one batch in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bottleneck_lab.activations import KINDS, kind_of
from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.activations import FloatArray
from bottleneck_lab.manifold.decoders import Moments, affine_error, moments
from bottleneck_lab.manifold.distances import effective_rank, principal_variances
from bottleneck_lab.manifold.patterns import PixelCounts, count_pixels
from bottleneck_lab.manifold.rows import rows
from bottleneck_lab.models import InvertedResidual, MobileNetV2, Sandglass
from bottleneck_lab.models.activations import made_of
from bottleneck_lab.models.block import ConvNorm


class Watcher(Protocol):
    """Looks at one module, batch by batch."""

    module: nn.Module

    def see(self, before: Tensor, after: Tensor) -> None:
        """Take what has gone into the module, and what has come out of it."""


@torch.no_grad()
def observe(network: nn.Module, batches: Iterable[Tensor], watchers: Iterable[Watcher]) -> None:
    """Run `batches` through `network` in evaluation mode; the `watchers` see what passes their modules."""

    def hook(watcher: Watcher) -> Callable[..., None]:
        return lambda module, inputs, output: watcher.see(inputs[0], output)

    network.eval()
    handles = [watcher.module.register_forward_hook(hook(watcher)) for watcher in watchers]
    try:
        for batch in batches:
            network(batch)
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class Projecting:
    """A block that has a projection, and where in it to look.

    `index`: its number, so that `blocks.3` is 3. `expansion`: None if there is none (t = 1). `bottleneck`:
    the activation that may follow the projection, or the addition; the identity in a linear block.
    """

    index: int
    block: InvertedResidual | Sandglass
    expansion: ConvNorm | None
    projection: ConvNorm
    bottleneck: nn.Module


def projecting(network: MobileNetV2) -> list[Projecting]:
    """The blocks that have a projection, in the order in which images pass them."""
    before_add = network.settings.projection_place == "before_add"
    found = []
    for index, block in enumerate(network.blocks):
        if not isinstance(block, InvertedResidual | Sandglass):
            continue  # added from outside: nobody knows what is inside
        projection = block.projection
        if isinstance(projection, ConvNorm):
            expansion = block.expansion if isinstance(block.expansion, ConvNorm) else None
            bottleneck = _activation(projection) if before_add else block.output
            found.append(Projecting(index, block, expansion, projection, bottleneck))
    return found


def effective_matrix(layer: ConvNorm) -> FloatArray:
    """B of z = Bx + b, (out, in): the weight of a 1x1 convolution, scaled by its batch norm in evaluation."""
    conv, norm = layer.conv, _norm(layer)
    assert isinstance(conv, nn.Conv2d)
    assert norm.running_var is not None
    weight, gain, variance = (
        np.asarray(tensor.detach().cpu().double()) for tensor in (conv.weight, norm.weight, norm.running_var)
    )
    return np.asarray((gain / np.sqrt(variance + norm.eps))[:, None] * weight[:, :, 0, 0])


def _activation(layer: ConvNorm) -> nn.Module:
    activation = layer.activation
    assert isinstance(activation, nn.Module)
    return activation


def _norm(layer: ConvNorm) -> nn.BatchNorm2d:
    norm = layer.norm
    assert isinstance(norm, nn.BatchNorm2d)
    return norm


class _Adds(Protocol):
    def __add__(self: _Sum, other: _Sum) -> _Sum: ...


_Sum = TypeVar("_Sum", bound=_Adds)


class _Total(Generic[_Sum]):
    """The sum over all batches of what `measure` makes of one."""

    def __init__(self, module: nn.Module, measure: Callable[[Tensor, Tensor], _Sum]) -> None:
        self.module, self.measure = module, measure
        self._sum: _Sum | None = None

    def see(self, before: Tensor, after: Tensor) -> None:
        more = self.measure(before, after)
        self._sum = more if self._sum is None else self._sum + more

    @property
    def sum(self) -> _Sum:
        assert self._sum is not None, "no batch has passed"
        return self._sum


def count_expansions(network: MobileNetV2, batches: Iterable[Tensor]) -> dict[str, PixelCounts]:
    """Count positive channels per pixel after every expansion of a network, by the name of the layer.

    One pass over `batches` of images `[N, channels, H, W]`. Blocks without an expansion are left out.
    """
    totals = {
        f"blocks.{one.index}.expansion": _counts_of(one.expansion)
        for one in projecting(network)
        if one.expansion
    }
    observe(network, batches, totals.values())
    return {name: total.sum for name, total in totals.items()}


def _counts_of(expansion: ConvNorm) -> _Total[PixelCounts]:
    return _counts(_activation(expansion), effective_matrix(expansion))


def _counts(activation: nn.Module, matrix: FloatArray | None = None) -> _Total[PixelCounts]:
    setting = made_of(activation)
    if setting is None or kind_of(setting) not in KINDS:
        known = ", ".join(KINDS)
        raise LabError(f"where {type(activation).__name__} clips is not known; it is for {known}")
    return _Total(activation, lambda z, _: count_pixels(z, setting, matrix))


@dataclass(frozen=True)
class Bottleneck:
    """What was seen of one block, over all images.

    Args:
        block: its number.
        width: channels of the bottleneck that it makes.
        shortcut: whether its input is added to that.
        expansion: pixels before the activation of its expansion; None if it has none (t = 1).
        projection: pixels before the activation of the bottleneck. Lemma 2 is about the bottleneck itself
            here, so a pixel fails it as soon as one channel is clipped.
        spread: moments of the bottleneck's pixels before and after that activation.
        pooled: float64 `[images, outputs]`, the block's output, averaged over each image.
        norm_bias: mean over channels of the shift of the projection's batch norm.
        norm_scale: mean over channels of the size of its scale.
    """

    block: int
    width: int
    shortcut: bool
    expansion: PixelCounts | None
    projection: PixelCounts
    spread: Moments
    pooled: FloatArray
    norm_bias: float
    norm_scale: float

    @property
    def rank_before(self) -> float:
        """Effective rank of the bottleneck's pixels before the activation, 1 to `width`."""
        return float(effective_rank(principal_variances(self.spread.point_covariance)))

    @property
    def rank_after(self) -> float:
        """The same after it. A kink bends flat things, so this may be the larger one."""
        return float(effective_rank(principal_variances(self.spread.code_covariance)))

    @property
    def affine_error(self) -> float:
        """How badly the best affine map reads the pre-activation from the activation, 0 to 1.

        Root mean square error over pixels, relative to that of answering the mean. For a standard normal
        channel and ReLU it is sqrt(1 - 1/4 / (1/2 - 1/(2 pi))) = 0.52.
        """
        return float(affine_error(self.spread)) if self.spread.point_variance > 0 else 0.0


def measure_bottlenecks(network: MobileNetV2, batches: Iterable[Tensor]) -> list[Bottleneck]:
    """Everything the bridge asks of every block that has a projection, in one pass over `batches`."""
    found = projecting(network)
    expansions = {p.index: _counts_of(p.expansion) for p in found if p.expansion}
    projections = [_counts(p.bottleneck) for p in found]
    spreads = [_Total(p.bottleneck, lambda z, h: moments(_pixels(z), _pixels(h))) for p in found]
    pooled = [_Pooled(p.block.output) for p in found]
    watchers: list[Watcher] = [*expansions.values(), *projections, *spreads, *pooled]
    observe(network, batches, watchers)
    return [
        Bottleneck(
            block=one.index,
            width=projection.sum.channels,
            shortcut=one.block.has_shortcut,
            expansion=expansions[one.index].sum if one.index in expansions else None,
            projection=projection.sum,
            spread=spread.sum,
            pooled=features.all,
            norm_bias=float(_norm(one.projection).bias.detach().mean()),
            norm_scale=float(_norm(one.projection).weight.detach().abs().mean()),
        )
        for one, projection, spread, features in zip(found, projections, spreads, pooled, strict=True)
    ]


def pooled_outputs(network: MobileNetV2, batches: Iterable[Tensor]) -> list[FloatArray]:
    """The outputs of the same blocks, averaged over each image: float64 `[images, outputs]` for each."""
    pooled = [_Pooled(one.block.output) for one in projecting(network)]
    observe(network, batches, pooled)
    return [features.all for features in pooled]


class _Pooled:
    """Gathers averages over each image; the only thing that grows with their number."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._parts: list[Tensor] = []

    def see(self, before: Tensor, after: Tensor) -> None:
        self._parts.append(after.mean((2, 3)).cpu())

    @property
    def all(self) -> FloatArray:
        return np.asarray(torch.cat(self._parts).double())


def _pixels(tensor: Tensor) -> FloatArray:
    """`[N, C, H, W]` to float64 (N H W, C)."""
    return np.asarray(rows(tensor).cpu().double())


def probe_accuracy(
    features: FloatArray, labels: NDArray[np.int64], new_features: FloatArray, new_labels: NDArray[np.int64]
) -> float:
    """How many of the new labels a linear probe gets right, 0 to 1: how far a layer has laid out the classes.

    The probe is a logistic regression (L2 penalty with C = 1, L-BFGS, no chance in it) on `features` (N, C),
    each scaled to mean 0 and variance 1.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return float(probe.fit(features, labels).score(new_features, new_labels))
