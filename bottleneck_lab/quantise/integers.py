"""The same network in 8-bit integers: torch's integer kernels instead of rounded floats, to check
these.

Images are rounded once; from there to the logits every tensor is 8 bits, every product and sum an integer.
torch's `qnnpack` kernels add up in 32 bits. Those of its other engines (x86, fbgemm, onednn) add pairs of
products in 16 bits on processors without VNNI, where they overflow; torch has its own observers take 7 bits
there. They are no yardstick, and not used.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from bottleneck_lab.errors import LabError
from bottleneck_lab.models.block import ConvNorm, InvertedResidual
from bottleneck_lab.models.folding import fold_norms
from bottleneck_lab.models.networks.mobilenet_v2 import MobileNetV2
from bottleneck_lab.quantise.grids import Grid, steps_of_weight
from bottleneck_lab.quantise.rounded import FEATURES, IMAGES, LOGITS, Spreads, grids_of
from bottleneck_lab.quantise.scheme import Per, Scheme

ENGINE = "qnnpack"
_KNOWN = (nn.Identity, nn.ReLU, nn.ReLU6)


class IntegerNetwork:
    """A MobileNetV2 in integers: images, normalised, to logits, both in floats.

    Args:
        network: trained; in blocks of expansion, depthwise convolution and projection, with ReLU, ReLU6 or
            nothing behind each.
        spreads: of `observed`.
        scheme: 8 bits for weights and activations.

    Raises:
        LabError: another network, another scheme, or a torch without such kernels.
    """

    def __init__(self, network: nn.Module, spreads: Spreads, scheme: Scheme) -> None:
        if why := why_not(network, scheme):
            raise LabError(f"in integers: {why}")
        assert isinstance(network, MobileNetV2)
        assert scheme.weights is not None
        assert scheme.activations is not None
        self._per = scheme.weights.per
        self._folded = fold_norms(network.eval()).cpu()  # where the kernels are
        self._grids = grids_of(spreads, scheme.activations)
        with _kernels():
            self._layers = {
                name: _packed(module.conv, self._per)
                for name, module in self._folded.named_modules()
                if isinstance(module, ConvNorm)
            }
            classifier = self._folded.classifier
            weight = _integers(classifier.weight.detach(), self._per)
            self._classifier = torch.ops.quantized.linear_prepack(weight, classifier.bias.detach())

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Logits `[n, classes]`."""
        with _kernels():
            x = _rounded(images.cpu(), self._grids[IMAGES])
            x = self._layer("stem", self._folded.stem, x)
            for index, block in enumerate(self._folded.blocks):
                x = self._block(f"blocks.{index}", block, x)  # type: ignore[arg-type]
            x = _mean(self._layer("head", self._folded.head, x), self._grids[FEATURES])
            to = self._grids[LOGITS]
            logits: Tensor = torch.ops.quantized.linear(x, self._classifier, to.step, _zero(to))
            return logits.dequantize().to(images.device)

    def _layer(self, name: str, layer: ConvNorm, x: Tensor) -> Tensor:
        grid = self._grids[name]
        y = torch.ops.quantized.conv2d(x, self._layers[name], grid.step, _zero(grid))
        # A ReLU6 cuts off above at the end of a grid that was made for it.
        return _within(y, grid) if isinstance(layer.activation, nn.Identity) else torch.relu(y)

    def _block(self, name: str, block: InvertedResidual, x: Tensor) -> Tensor:
        y = x
        for part in ("expansion", "depthwise", "projection"):
            layer = getattr(block, part)
            y = self._layer(f"{name}.{part}", layer, y) if isinstance(layer, ConvNorm) else y
        if not block.has_shortcut:
            return y
        grid = self._grids[f"{name}.output"]
        return _within(torch.ops.quantized.add(x, y, grid.step, _zero(grid)), grid)


def why_not(network: nn.Module, scheme: Scheme) -> str | None:
    """Why a network cannot be computed in integers as `scheme` has it; None if it can."""
    weights, activations = scheme.weights, scheme.activations
    if weights is None or activations is None or weights.bits != 8 or activations.bits != 8:
        return "torch has kernels for weights and activations in 8 bits alone"
    if not weights.folded:
        return "batch norm has to be folded into the convolutions"
    if not isinstance(network, MobileNetV2) or not all(
        isinstance(block, InvertedResidual) for block in network.blocks
    ):
        return "only MobileNetV2's own blocks are known"
    if any(network.expansions_joined):
        return "shortcuts between expansions are not known"
    for module in network.modules():
        if isinstance(module, ConvNorm) and type(module.activation) not in _KNOWN:
            return f"{type(module.activation).__name__} is not known, only ReLU, ReLU6 and linear"
        if isinstance(module, InvertedResidual) and type(module.output) is not nn.Identity:
            return "activations after the addition are not known"
    if ENGINE not in torch.backends.quantized.supported_engines or not hasattr(
        torch.ops.quantized, "conv2d_prepack"
    ):
        return f"this torch ({torch.__version__}) has no {ENGINE} kernels"
    return None


@contextmanager
def _kernels() -> Iterator[None]:
    """Within this, torch's integer kernels are those of one engine, and say nothing of their age."""
    engine = torch.backends.quantized.engine
    torch.backends.quantized.engine = ENGINE
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*quantized tensor", UserWarning)
            yield
    finally:
        torch.backends.quantized.engine = engine


def _zero(grid: Grid) -> int:
    """Where 0 lies among the integers 0 to 255, of which a symmetric grid leaves out the first."""
    return grid.zero if grid.least == 0 else 128


def _within(values: Tensor, grid: Grid) -> Tensor:
    """Without the integer that a symmetric grid leaves out; all of another grid's are on it."""
    if grid.least == 0:
        return values
    # `values.clamp` would do, but qnnpack's takes the bytes of images with channels last in a wrong order.
    return _on(grid, values.int_repr())


def _on(grid: Grid, integers: Tensor) -> Tensor:
    """A tensor of these integers, those beyond the ends of the grid at its ends."""
    zero = _zero(grid)
    least, most = grid.least - grid.zero + zero, grid.most - grid.zero + zero
    return torch._make_per_tensor_quantized_tensor(
        integers.clamp(least, most).to(torch.uint8), grid.step, zero
    )


def _rounded(values: Tensor, grid: Grid) -> Tensor:
    return torch.quantize_per_tensor(values, grid.step, _zero(grid), torch.quint8)


def _integers(weight: Tensor, per: Per) -> Tensor:
    steps = steps_of_weight(weight, 8, per)
    if per == "tensor":
        return torch.quantize_per_tensor(weight, float(steps), 0, torch.qint8)
    zeros = torch.zeros(len(steps), dtype=torch.long)
    return torch.quantize_per_channel(weight, steps.double(), zeros, 0, torch.qint8)


def _packed(conv: nn.Conv2d, per: Per) -> torch.ScriptObject:
    weight = _integers(conv.weight.detach(), per)
    assert conv.bias is not None
    shape = list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups
    packed: torch.ScriptObject = torch.ops.quantized.conv2d_prepack(weight, conv.bias.detach(), *shape)
    return packed


def _mean(values: Tensor, grid: Grid) -> Tensor:
    """The mean over pixels of integers, on a grid of its own, with one rounding."""
    pixels = values.shape[2] * values.shape[3]
    total = values.int_repr().int().sum((2, 3)) - pixels * values.q_zero_point()
    return _on(grid, (total.double() * (values.q_scale() / (pixels * grid.step))).round() + _zero(grid))
